"""A security event token that was taken once, so that it is not taken again: RFC 8417 section 2.2, ``jti``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceivedSignal:
    """expires_at: seconds since the epoch, after which a token with this ``jti`` would be too old to be taken."""

    issuer: str
    jti: str
    expires_at: int
    tenant: str = "default"
