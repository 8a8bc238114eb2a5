"""The commands of an operator as typed, checked objects; the command line and the admin API build the same ones."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ostiary.model.client import USER_SUBJECT_PREFIX

MAX_LIFE = 86_400  # seconds; no access token is given a longer life than a day

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")


def check_scope(scope: str) -> str:
    """A scope token, RFC 6749 section 3.3. Raises ValueError."""
    if not _SCOPE_TOKEN.fullmatch(scope):
        raise ValueError(f"{scope!r} is no scope: printable ASCII without blank, quote and backslash, at most 128 long")
    return scope


def check_client_id(client_id: str) -> str:
    """A client_id that an operator may choose. Raises ValueError.

    RFC 9700 4.15: a client's ``sub`` must not be confused with a user's, so it cannot begin like one.
    """
    if not _CLIENT_ID.fullmatch(client_id):
        raise ValueError(f"{client_id!r} is no client id: 1 to 64 of A-Z a-z 0-9 . _ ~ -")
    if client_id.startswith(USER_SUBJECT_PREFIX):
        raise ValueError(f"a client id cannot begin with {USER_SUBJECT_PREFIX!r}, which is how users' subjects begin")
    return client_id


Scope = Annotated[str, AfterValidator(check_scope)]
ClientId = Annotated[str, AfterValidator(check_client_id)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Owner = Annotated[str, Field(max_length=200)]
Life = Annotated[int, Field(ge=10, le=MAX_LIFE, description="seconds")]
Moment = Annotated[int, Field(ge=0, le=4_102_444_800, description="seconds since the epoch")]


class Command(BaseModel):
    """An unknown member is an error, so that a misspelt one is never ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class NewKey(Command):
    """Public keys for a client: one JWK, a JWKS or PEM text."""

    key: Annotated[str, Field(min_length=1, max_length=65_536)]
    kid: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    alg: str | None = None
    not_before: Moment | None = None
    expires_at: Moment | None = None
    owner: Owner = ""


class NewClient(Command):
    """A client and what it may have: for each API, by its identifier, the scopes."""

    client_id: ClientId | None = None
    name: Name
    owner: Owner = ""
    scopes: dict[str, list[Scope]] = {}
    token_life: Life | None = None
    jwks_uri: Annotated[str, Field(max_length=2000)] | None = None
    may_register_keys: bool = False
    max_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 64
    keys: list[NewKey] = []


class ClientChanges(Command):
    """What may be changed of a client; what is absent stays."""

    name: Name | None = None
    owner: Owner | None = None
    scopes: dict[str, list[Scope]] | None = None
    token_life: Life | None = None
    jwks_uri: Annotated[str, Field(max_length=2000)] | None = None
    may_register_keys: bool | None = None
    max_concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None


class NewApi(Command):
    """An API: its identifier is ``resource`` in requests and ``aud`` in tokens (RFC 8707)."""

    identifier: Annotated[str, Field(min_length=1, max_length=500)]
    name: Name
    owner: Owner = ""
    scopes: dict[Scope, str] = {}
    token_format: Literal["self-contained", "reference"] = "self-contained"
    token_alg: str = "ES256"
    token_life: Life = 600
    keys: list[NewKey] = Field(default=[], description="the API's own identity; with none it cannot ask the server")


class Rotation(Command):
    """A turn of the signing keys; ``compromised`` withdraws the present key at once."""

    alg: str | None = None
    compromised: bool = False


class KeyEnd(Command):
    """How a key of a client ends: ``retired`` is refused from now on, ``revoked`` also ends the tokens it obtained."""

    state: Literal["retired", "revoked"]
