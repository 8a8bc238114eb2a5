"""Logout tokens: OpenID Connect Back-Channel Logout 1.0 section 2.4, a security event token (RFC 8417)."""

from __future__ import annotations

from typing import Final

from ostiary.protocol import strict_json

TYP: Final = "logout+jwt"
EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LIFE: Final = 120
"""Seconds: 2.4 recommends "at most two minutes"."""


def build(*, issuer: str, client_id: str, subject: str, session_id: str, jti: str, now: int) -> bytes:
    """The payload of a logout token. now: seconds since the epoch.

    "A nonce Claim MUST NOT be present. Its use is prohibited to make a Logout Token syntactically invalid if used in a
    forged Authentication Response in place of an ID Token." 2.4
    """
    return strict_json.encode(
        {
            "iss": issuer,
            "aud": client_id,
            "sub": subject,
            "sid": session_id,
            "iat": now,
            "exp": now + LIFE,
            "jti": jti,
            "events": {EVENT: {}},
        }
    )
