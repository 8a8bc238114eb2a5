"""The clients and APIs that stand in ``ostiary.toml``: for closed systems, where the file is the register."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from ostiary.model import names
from ostiary.model.api import TokenFormat
from ostiary.settings.fields import ClientId, Paths, Seconds, Section, SigningAlgorithm, Texts

API_CLIENT_PREFIX = names.API_CLIENT_PREFIX


Resource = Annotated[str, AfterValidator(names.api_identifier)]
Scope = Annotated[str, AfterValidator(names.scope)]


class StaticClient(Section):
    """A client of the file; its id is the name of the table, ``[static.clients.<client_id>]``.

    keys: files of public keys (JWK, JWKS, PEM), relative to the file. scopes: for each API (its identifier) what the
    client may have. token_life: seconds, upper bound of its access tokens. jwks_uri: where it publishes its keys.
    """

    name: str = ""
    owner: str = ""
    keys: Paths = ()
    scopes: dict[Resource, Texts] = Field(default_factory=dict)
    token_life: Seconds | None = None
    jwks_uri: str | None = None

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
    """

    identifier: Resource
    owner: str = ""
    scopes: dict[Scope, str] = Field(default_factory=dict)
    token_format: TokenFormat = "self-contained"
    token_alg: SigningAlgorithm = "ES256"
    token_life: Seconds | None = None
    keys: Paths = ()


class Static(Section):
    """``[static]``: what stands in the file instead of being registered by command."""

    clients: dict[ClientId, StaticClient] = Field(default_factory=dict)
    apis: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,60}$")], StaticApi] = Field(default_factory=dict)
