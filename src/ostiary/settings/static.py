"""The clients and APIs that stand in ``ostiary.toml``: for closed systems, where the file is the register."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from ostiary.model.api import TokenFormat
from ostiary.settings.fields import MAX_RESOURCE_LENGTH, ClientId, Paths, Seconds, Section, SigningAlgorithm, Texts

API_CLIENT_PREFIX = "api_"


def _resource(text: str) -> str:
    # RFC 8707 section 2: "Its value MUST be an absolute URI ... The URI MUST NOT include a fragment component."
    parts = urlsplit(text)
    if not parts.scheme or not (parts.netloc or parts.path) or "#" in text or not text.isprintable() or " " in text:
        raise ValueError("must be an absolute URI without a fragment, such as https://orders.example.com")
    if len(text) > MAX_RESOURCE_LENGTH:
        raise ValueError(f"must have at most {MAX_RESOURCE_LENGTH} characters")
    return text


def _scope(text: str) -> str:
    # RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
    if not text or any(not "!" <= character <= "~" or character in '"\\' for character in text):
        raise ValueError('is no scope: printable ASCII without space, quote and backslash, such as "orders:read"')
    return text


Resource = Annotated[str, AfterValidator(_resource)]
Scope = Annotated[str, AfterValidator(_scope)]


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
