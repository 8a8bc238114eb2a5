"""A public key of a client in the key store, bare or in a certificate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

KeySource = Literal["registered", "static"]
KeyState = Literal["active", "retired", "revoked"]


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One public key, or one certificate; it belongs to one client.

    thumbprint: RFC 7638, of a certificate ``x5t#S256`` (RFC 8705 section 3.1); unique in the tenant, so that the same
        key cannot be registered twice.
    jwk: the public JWK as JSON text with ``kid`` and ``alg``.
    not_before, expires_at: seconds since the epoch; expires_at None for no end.
    state: ``"retired"`` is refused from now on, ``"revoked"`` also ends the tokens it obtained.
    parent: thumbprint of the key that registered this one; it inherits that key's end and falls with it.
    last_used_at: seconds since the epoch, written at most once a minute; None if never used.
    certificate: DER, for ``self_signed_tls_client_auth``; such a key signs no JWT. None for a bare key.
    """

    client_id: str
    kid: str
    thumbprint: str
    alg: str
    jwk: str
    source: KeySource
    state: KeyState
    owner: str
    not_before: int
    expires_at: int | None
    parent: str | None
    created_at: int
    last_used_at: int | None
    certificate: bytes | None = field(default=None, repr=False)
    tenant: str = "default"

    def usable(self, now: float) -> bool:
        """Whether the key may prove its client at this time (seconds since the epoch)."""
        return self.state == "active" and self.not_before <= now and (self.expires_at is None or now < self.expires_at)
