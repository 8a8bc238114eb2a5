"""Whom an ``id_token_hint`` speaks of: OpenID Connect Core 3.1.2.1, RP-Initiated Logout 1.0 section 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import id_token, jws
from ostiary.protocol.checks import AUDIENCE, KEY, shown

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


def verified_hint(server: AuthorizationServer, hint: str) -> dict[str, object]:
    """The claims of an ID token of ours, expired or not. Raises VerificationError."""
    parsed = jws.parse(hint)
    key = server.signing_keys.verification_key(parsed.header.kid) if parsed.header.kid is not None else None
    if key is None:
        raise VerificationError(KEY, "unknown key", seen=shown(parsed.header.kid), expected="a signing key of ours")
    return id_token.verify_hint(parsed, key, issuer=server.issuer)


def subject_of_hint(server: AuthorizationServer, hint: str, client_id: str) -> str:
    """``sub`` of an ID token that was issued to ``client_id``. Raises VerificationError."""
    members = verified_hint(server, hint)
    if client_id not in common.audiences(members):
        raise VerificationError(AUDIENCE, "for another client", seen=shown(members.get("aud")), expected=client_id)
    return str(members["sub"])
