"""Who calls, and what they may: what an admitted request is handed to the API as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from ostiary.protocol.certificate_binding import X5T_S256
from ostiary.resource_server.read_only import ReadOnlyDict, read_only
from ostiary.resource_server.signed_in_user import SignedInUser, user_of


class Principal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The caller of one request, every check passed.

    client_id: the client that calls; subject: on whose behalf (the client itself where there is no user).
    scopes: as granted; ask ``may`` whether a narrower one is implied.
    issuer, audience: who made the token, and for which APIs. For a direct JWT the issuer is the one whose key store
    knows the client.
    token_id: ``jti``; grant_id, rev, kid (the issuer's key that signed the token): what a later revocation may name.
    expires_at: seconds since the epoch.
    kind: ``"access_token"`` or ``"client_request"`` (a client's own JWT, without a token).
    claims: everything the token says, arrays as tuples. It cannot be changed, for the next request sees the same.
    """

    client_id: str
    subject: str
    scopes: frozenset[str]
    issuer: str
    audience: tuple[str, ...]
    token_id: str
    expires_at: float
    kind: Literal["access_token", "client_request"] = "access_token"
    grant_id: str | None = None
    rev: int | None = None
    kid: str | None = None
    claims: Mapping[str, object] = {}

    def __post_init__(self) -> None:
        if type(self.claims) is not ReadOnlyDict:
            msgspec.structs.force_setattr(self, "claims", read_only(self.claims))

    @property
    def certificate_thumbprint(self) -> str | None:
        """The SHA-256 (base64url) of the certificate that the token is bound to and the request came with, or None."""
        confirmation = self.claims.get("cnf")
        thumbprint = confirmation.get(X5T_S256) if isinstance(confirmation, Mapping) else None
        return thumbprint if isinstance(thumbprint, str) else None

    @property
    def user(self) -> SignedInUser | None:
        """The user on whose behalf the client calls, and how they signed in; None where it acts for itself."""
        return user_of(self.subject, self.client_id, self.claims) if self.kind == "access_token" else None
