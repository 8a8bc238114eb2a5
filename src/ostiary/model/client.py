"""A client: a program that proves itself and asks for tokens; an API is one too, with ``kind`` ``"api"``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from ostiary.model.client_login import ClientLogin
from ostiary.model.mutual_tls import MutualTls

ClientKind = Literal["client", "api"]
ClientState = Literal["active", "disabled"]
ClientSource = Literal["registered", "static"]

AuthenticationMethod = Literal[
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "spiffe_jwt",
    "client_secret_basic",
    "client_secret_post",
    "none",
]
"""What a client can be registered for; each has its file in ``authorization_server.client_authentication``."""

SPIFFE_JWT: Final = "spiffe_jwt"
"""The method of clients that prove themselves by a JWT-SVID: draft-ietf-oauth-spiffe-client-auth section 4."""

USER_SUBJECT_PREFIX = "usr_"  # no client_id may begin like a user's subject: RFC 9700 4.15, RFC 9068 section 5


@dataclass(frozen=True, slots=True)
class Client:
    """A registered party.

    client_id: stable, chosen by the operator or generated; never begins like a user's subject.
    kind: ``"client"``, or ``"api"`` for the identity by which an API asks the server.
    owner: a person or team, free text.
    source: ``"static"`` if it stands in ``ostiary.toml``, else ``"registered"``.
    authentication_method: the one registered method, such as ``"private_key_jwt"``.
    scopes: for each API (its identifier) what the client may have, such as ``{"https://a.example": ("orders:read",)}``.
    token_life: seconds, upper bound of this client's access tokens; None for the API's.
    jwks_uri: where the client publishes its keys, None if it does not.
    may_register_keys: whether it may register its next key by its present one.
    max_concurrency: requests it may have in flight at this server.
    grant_id: the standing grant of its client-credentials tokens.
    created_at, updated_at: seconds since the epoch.
    login: its registration as an application with users, None if it has none.
    secret_digest: SHA-256 of its secret (256 random bits) for the legacy methods ``client_secret_basic`` and
        ``client_secret_post``, None for every other client.
    spiffe_id: the workload that it is, None if it is none; no other client has the same.
    mutual_tls: how its certificate names it, and whether its tokens are bound to it.
    """

    client_id: str
    name: str
    kind: ClientKind
    state: ClientState
    owner: str
    source: ClientSource
    authentication_method: str
    grant_types: tuple[str, ...]
    scopes: dict[str, tuple[str, ...]]
    token_life: int | None
    jwks_uri: str | None
    may_register_keys: bool
    max_concurrency: int
    grant_id: str
    created_at: int
    updated_at: int
    login: ClientLogin | None = None
    secret_digest: bytes | None = field(default=None, repr=False)
    mutual_tls: MutualTls = field(default_factory=MutualTls)
    spiffe_id: str | None = None
    tenant: str = "default"
