"""A certificate that our own CA issued: the inventory of who has which, until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RevocationReason = Literal[
    "unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation"
]
"""RFC 5280 section 5.3.1, without those that are of no use here (holds, deltas, privileges)."""


def proved_by_certificate(serial: str) -> str:
    """``Certificate.proof`` of what a certificate obtained: its successor."""
    return f"certificate:{serial}"


def proved_by_client(thumbprint: str) -> str:
    """``Certificate.proof`` of what a client obtained; thumbprint: of its key or certificate, "" for a secret."""
    return f"client:{thumbprint or 'secret'}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """serial: lower-case hex, no leading zero; authority_id: who signed it.

    profile: by whose rules. owner: a person or team, free text. client_id: whose it is, "" of no client.
    identities: as in the SAN: ``dns:``, ``ip:`` or ``uri:`` and the value.
    thumbprint: SHA-256 of the DER form, base64url (the ``x5t#S256`` of RFC 8705); key_thumbprint: of the public key
    (SPKI). certificate: DER. proof: how whoever asked for it proved themselves, such as ``"operator"``.
    not_before, not_after, issued_at, revoked_at, last_seen_at: seconds since the epoch.
    expires_at: when this row may go: some time after ``not_after``.
    """

    serial: str
    authority_id: str
    profile: str
    owner: str
    client_id: str
    identities: tuple[str, ...]
    thumbprint: str
    key_thumbprint: str
    certificate: bytes
    proof: str
    not_before: int
    not_after: int
    issued_at: int
    expires_at: int
    revoked_at: int | None = None
    reason: str = ""
    last_seen_at: int | None = None
    tenant: str = "default"

    def state(self, now: float) -> Literal["valid", "expired", "revoked"]:
        """What it is worth now, clocks taken as they are."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.not_after <= now else "valid"
