"""A refresh token: one member of a family, which is the grant that it hangs on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What is kept of a refresh token; the token itself is never kept.

    digest: SHA-256 of the token. generation: 0 for the first of its family, then one more at each rotation.
    key_thumbprint: the client key or the kind of proof with which it was obtained.
    idle_until: when it ends unused; expires_at: the absolute end of the family, the same in every generation.
    used_at: when it was exchanged for its successor, None while it is the youngest.
    successor: the next token, sealed under the presented token and a server key; None outside the retry window.
    successor_digest: names the successor; retry_until: the end of the window. Times are seconds since the epoch.
    certificate_thumbprint: of the certificate that it is bound to, ``x5t#S256``; "" if it is bound to none.
    """

    digest: bytes = field(repr=False)
    grant_id: str
    client_id: str
    user_id: str
    generation: int
    key_thumbprint: str
    created_at: int
    idle_until: int
    expires_at: int
    used_at: int | None = None
    successor: bytes | None = field(default=None, repr=False)
    successor_digest: bytes | None = field(default=None, repr=False)
    retry_until: int | None = None
    certificate_thumbprint: str = ""
    tenant: str = "default"
