"""A factor: one thing by which a user can prove themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FactorKind = Literal["password", "passkey", "totp", "recovery_code", "upstream"]


@dataclass(frozen=True, slots=True)
class Factor:
    """A password, a passkey, a TOTP seed, one recovery code, or an account at an upstream OpenID Provider.

    name: what the user calls it.
    secret: a password hash or the SHA-256 of a recovery code as text, a sealed TOTP seed, the COSE public key of a
        passkey; empty for an upstream account. Nothing in it opens anything alone.
    lookup: by which it is found without its id: a passkey's credential id, ``issuer subject`` upstream, a password's
        user_id, so that each user has one; else None. Unique among the factors of its kind.
    counter: the last used TOTP step, a passkey's signature counter; 0 otherwise. It only rises.
    details: further facts, no secret.
    created_at, last_used_at: seconds since the epoch, None if not yet.
    """

    factor_id: str
    user_id: str
    kind: FactorKind
    name: str
    secret: bytes = field(repr=False)
    lookup: str | None = None
    counter: int = 0
    details: dict[str, object] = field(default_factory=dict)
    created_at: int = 0
    last_used_at: int | None = None
    tenant: str = "default"
