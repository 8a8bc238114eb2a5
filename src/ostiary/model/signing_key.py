"""A signing key of the installation and the stages of its life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SigningKeyUse = Literal["token", "audit", "jwt-svid"]
PUBLISHED_USES: Final[tuple[SigningKeyUse, ...]] = ("token", "jwt-svid")
"""What others verify by keys that they fetch: the JWKS, and the SPIFFE trust bundle. The sets have no key in common."""

SigningKeyState = Literal["published", "active", "retired", "withdrawn", "removed"]


@dataclass(frozen=True, slots=True)
class InstallationKey:
    """A key pair of the installation; the private half stands only wrapped.

    state: published (in the JWKS, not used) -> active (signs) -> retired (verifies) -> removed (after its last token);
        ``withdrawn`` when compromised: neither signs nor verifies, at once.
    public_jwk: JSON text; wrapped_private_key: ciphertext under the key-encryption key, bound to kid and use; empty
        once it will never sign again.
    published_at, activated_at, retired_at: seconds since the epoch, None if not yet.
    remove_after: when the last token that it signed has ended, None while it may still sign.
    """

    kid: str
    use: SigningKeyUse
    alg: str
    state: SigningKeyState
    public_jwk: str
    wrapped_private_key: bytes
    published_at: int
    activated_at: int | None
    retired_at: int | None
    remove_after: int | None
    tenant: str = "default"
