"""The commands of an operator as typed, checked objects; the command line and the admin API build the same ones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from ostiary.admin.login_commands import STRICT, GrantTypeName, LoginChanges, NewLogin
from ostiary.model import names
from ostiary.model.api import TokenFormat
from ostiary.model.client import AuthenticationMethod
from ostiary.protocol.certificate_subject import MAX_LENGTH, SubjectKind

MAX_LIFE = 86_400  # seconds; no access token is given a longer life than a day
MAX_APIS = 100
MAX_SCOPES = 200
MAX_KEYS = 20

Scope = Annotated[str, AfterValidator(names.scope)]
ClientId = Annotated[str, AfterValidator(names.client_id)]
ApiClientId = Annotated[str, AfterValidator(names.api_client_id)]
SpiffeId = Annotated[str, AfterValidator(names.workload)]
Identifier = Annotated[str, AfterValidator(names.api_identifier)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(names.one_line)]
Owner = Annotated[str, Field(max_length=200), AfterValidator(names.one_line)]
Description = Annotated[str, Field(max_length=500), AfterValidator(names.one_line)]
Kid = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(names.one_line)]
Jti = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(names.one_line)]
Alg = Annotated[str, Field(max_length=20)]
Url = Annotated[str, Field(max_length=2000)]
Life = Annotated[int, Field(ge=10, le=MAX_LIFE, description="seconds")]
Moment = Annotated[int, Field(ge=0, le=4_102_444_800, description="seconds since the epoch")]
Concurrency = Annotated[int, Field(ge=1, le=10_000)]
ApiScopes = Annotated[dict[Scope, Description], Field(max_length=MAX_SCOPES)]
Scopes = Annotated[
    dict[Identifier, Annotated[list[Scope], Field(max_length=MAX_SCOPES)]],
    Field(max_length=MAX_APIS, description="for each API, by its identifier, what the client may have"),
]


class Command(BaseModel):
    """An unknown member is an error, so that a misspelt one is never ignored; a number is a number, no text."""

    model_config = STRICT


class NewKey(Command):
    """Public keys for a client: ``key``, one JWK, a JWKS or PEM text; or ``certificate``, one or several in PEM.

    A certificate is for ``self_signed_tls_client_auth``, and ends with its own period at the latest.
    """

    key: Annotated[str, Field(min_length=1, max_length=65_536)] | None = None
    certificate: Annotated[str, Field(min_length=1, max_length=65_536)] | None = None
    kid: Kid | None = None
    alg: Alg | None = None
    not_before: Moment | None = None
    expires_at: Moment | None = None
    owner: Owner = ""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> NewKey:
        if (self.key is None) == (self.certificate is None):
            raise ValueError("give either a key or a certificate")
        if self.certificate is not None and self.alg is not None:
            raise ValueError("alg is for a key: a certificate says which its key is for")
        return self


class CertificateSubject(Command):
    """By which one value a certificate names its client, for ``tls_client_auth``: RFC 8705 section 2.1.2."""

    kind: SubjectKind
    value: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)]


Keys = Annotated[list[NewKey], Field(max_length=MAX_KEYS)]


class NewClient(Command):
    """A client and what it may have; with ``login`` it signs users in, and ``scopes`` is what they can allow it.

    authentication_method: with ``client_secret_...`` the answer tells its new secret, once. grant_types: null for
    ``client_credentials``, or with ``login`` for ``authorization_code`` and ``refresh_token``.
    """

    client_id: ClientId | None = None
    name: Name
    owner: Owner = ""
    authentication_method: AuthenticationMethod = "private_key_jwt"
    grant_types: Annotated[list[GrantTypeName], Field(max_length=3)] | None = None
    login: NewLogin | None = None
    scopes: Scopes = {}
    token_life: Life | None = None
    jwks_uri: Url | None = None
    may_register_keys: bool = False
    certificate_subject: CertificateSubject | None = None
    bound_tokens: Annotated[bool, Field(description="its tokens are bound to its certificate (RFC 8705)")] = False
    max_concurrency: Annotated[
        Concurrency | None, Field(description="requests at once; null for server.max_concurrency_per_client")
    ] = None
    keys: Keys = []
    spiffe_id: Annotated[SpiffeId | None, Field(description="the workload that it is, for its SVIDs")] = None


class ClientChanges(Command):
    """What may be changed of a client; what is absent stays. Null takes away token_life, jwks_uri and spiffe_id.

    authentication_method: a secret ends with its method; a method with a secret is for clients that have one; a
    certificate_subject comes and goes with ``tls_client_auth``.
    """

    name: Name | None = None
    owner: Owner | None = None
    scopes: Scopes | None = None
    token_life: Life | None = None
    jwks_uri: Url | None = None
    may_register_keys: bool | None = None
    certificate_subject: CertificateSubject | None = None
    bound_tokens: bool | None = None
    max_concurrency: Concurrency | None = None
    authentication_method: AuthenticationMethod | None = None
    grant_types: Annotated[list[GrantTypeName], Field(max_length=3)] | None = None
    login: LoginChanges | None = None
    spiffe_id: SpiffeId | None = None

    @field_validator(
        "name",
        "owner",
        "scopes",
        "may_register_keys",
        "certificate_subject",
        "bound_tokens",
        "max_concurrency",
        "authentication_method",
        "grant_types",
        "login",
    )
    @classmethod
    def _is_not_null(cls, value: object) -> object:
        return _not_null(value)


class NewApi(Command):
    """An API: its identifier is ``resource`` in requests and ``aud`` in tokens (RFC 8707)."""

    identifier: Identifier
    name: Name
    owner: Owner = ""
    scopes: ApiScopes = {}
    token_format: TokenFormat = "self-contained"
    token_alg: Alg = "ES256"
    token_life: Life | None = None
    status_list: Annotated[bool, Field(description="its self-contained tokens have a place in a status list")] = False
    client_id: ApiClientId | None = None
    keys: Annotated[Keys, Field(description="the API's own identity; with none it cannot ask the server")] = []


class ApiChanges(Command):
    """What may be changed of an API; what is absent stays. ``scopes`` are all that exist at it from then on."""

    name: Name | None = None
    owner: Owner | None = None
    scopes: ApiScopes | None = None
    token_format: TokenFormat | None = None
    token_alg: Alg | None = None
    token_life: Life | None = None
    status_list: bool | None = None

    @field_validator("name", "owner", "scopes", "token_format", "token_alg", "token_life", "status_list")
    @classmethod
    def _is_not_null(cls, value: object) -> object:
        return _not_null(value)


class Rotation(Command):
    """A turn of the signing keys; ``compromised`` withdraws the present key at once, or the one named ``kid``.

    use: whose turn it is, the keys of tokens or those of JWT-SVIDs.
    """

    use: Literal["token", "jwt-svid"] = "token"
    alg: Alg | None = None
    compromised: bool = False
    kid: Kid | None = None


class TokenEnd(Command):
    """One access token, named by its ``jti``, which says nothing that could be used."""

    jti: Jti


class KeyEnd(Command):
    """How a key of a client ends: ``retired`` is refused from now on, ``revoked`` also ends the tokens it obtained."""

    kid: Kid
    state: Literal["retired", "revoked"]


def _not_null(value: object) -> object:
    if value is None:
        raise ValueError("cannot be null: leave it out to keep it as it is")
    return value
