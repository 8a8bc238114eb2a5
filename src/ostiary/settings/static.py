"""The clients and APIs that stand in ``ostiary.toml``: for closed systems, where the file is the register."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from ostiary.model import names
from ostiary.model.api import TokenFormat
from ostiary.model.client import SPIFFE_JWT, AuthenticationMethod
from ostiary.model.client_login import ClientLogin
from ostiary.model.login_rules import GRANT_TYPES, SECRET_METHODS, checked_login, grant_types_for
from ostiary.model.mutual_tls import SELF_SIGNED, MutualTls, checked_mutual_tls
from ostiary.protocol.certificate_subject import SubjectKind
from ostiary.settings.fields import ClientId, FilePath, Paths, Seconds, Section, SigningAlgorithm, Texts
from ostiary.settings.static_login import StaticLogin

API_CLIENT_PREFIX = names.API_CLIENT_PREFIX


Resource = Annotated[str, AfterValidator(names.api_identifier)]
Scope = Annotated[str, AfterValidator(names.scope)]


class StaticClient(Section):
    """A client of the file; its id is the name of the table, ``[static.clients.<client_id>]``.

    keys: files of public keys (JWK, JWKS, PEM), relative to the file. scopes: for each API (its identifier) what the
    client may have. token_life: seconds, upper bound of its access tokens. jwks_uri: where it publishes its keys.
    authentication_method: how it proves itself; secret_file: what ``ostiary client new-secret`` wrote, for the legacy
    methods. login: if it signs users in. grant_types: what it may ask for, if not the usual.
    certificates: PEM files, the very certificates of ``self_signed_tls_client_auth``. certificate_subject: for
    ``tls_client_auth``, one kind and its value, as in ``{ san_dns = "billing.example.com" }``. bound_tokens: whether
    its tokens are bound to the certificate that it shows.
    spiffe_id: the workload that it is, for its SVIDs.
    """

    name: str = ""
    owner: str = ""
    keys: Paths = ()
    scopes: dict[Resource, Texts] = Field(default_factory=dict)
    token_life: Seconds | None = None
    jwks_uri: str | None = None
    authentication_method: AuthenticationMethod = "private_key_jwt"
    secret_file: FilePath | None = None
    grant_types: Texts | None = None
    spiffe_id: Annotated[str, AfterValidator(names.workload)] | None = None
    login: StaticLogin | None = None
    certificates: Paths = ()
    certificate_subject: Annotated[dict[SubjectKind, str], Field(min_length=1, max_length=1)] | None = None
    bound_tokens: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> StaticClient:
        has_secret = self.authentication_method in SECRET_METHODS
        if has_secret != (self.secret_file is not None):
            raise ValueError("secret_file and a client_secret_... method go together: give both or neither")
        if self.authentication_method != "private_key_jwt" and (self.keys or self.jwks_uri is not None):
            raise ValueError("keys and jwks_uri are for private_key_jwt: leave them out")
        if self.certificates and self.authentication_method != SELF_SIGNED:
            raise ValueError(f"certificates are for {SELF_SIGNED}: leave them out")
        self.mutual_tls_record()
        if self.authentication_method == SPIFFE_JWT and self.spiffe_id is None:
            raise ValueError(f"spiffe_id and {SPIFFE_JWT} go together: name the workload")
        if unknown := sorted(set(self.grant_types or ()) - set(GRANT_TYPES)):
            raise ValueError(f"grant_types knows no {unknown[0]!r}: choose from {', '.join(GRANT_TYPES)}")
        grant_types_for(self.grant_types, self.authentication_method, has_login=self.login is not None)
        self.login_record()
        return self

    def login_record(self) -> ClientLogin | None:
        """Its registration as an application with users. Raises ValueError if it does not fit together."""
        return None if self.login is None else checked_login(self.login.record(), self.authentication_method)

    def mutual_tls_record(self) -> MutualTls:
        """Its registration for mutual TLS. Raises ValueError if it does not fit together."""
        kind, value = next(iter((self.certificate_subject or {}).items()), (None, ""))
        return checked_mutual_tls(MutualTls(kind, value, self.bound_tokens), self.authentication_method)

    @field_validator("jwks_uri")
    @classmethod
    def _is_a_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("https://", "http://")):
            raise ValueError("must be an https URL")
        return url


class StaticApi(Section):
    """An API of the file, ``[static.apis.<short name>]``.

    identifier: the absolute URI that is ``resource`` in requests and ``aud`` in tokens. scopes: name to description.
    keys: files of the public keys of its own identity, whose client_id is ``api_<short name>``.
    status_list: whether its self-contained tokens have a place in a Token Status List.
    """

    identifier: Resource
    owner: str = ""
    scopes: dict[Scope, str] = Field(default_factory=dict)
    token_format: TokenFormat = "self-contained"
    token_alg: SigningAlgorithm = "ES256"
    token_life: Seconds | None = None
    status_list: bool = False
    keys: Paths = ()


class Static(Section):
    """``[static]``: what stands in the file instead of being registered by command."""

    clients: dict[ClientId, StaticClient] = Field(default_factory=dict)
    apis: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,60}$")], StaticApi] = Field(default_factory=dict)
