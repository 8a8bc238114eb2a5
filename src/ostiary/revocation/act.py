"""Who ends something, when and why; and the rows that say so."""

from __future__ import annotations

from dataclasses import dataclass, field

from ostiary.model.event import AuditEvent
from ostiary.model.revocation import Revocation, RevocationKind

MAX_TOKEN_LIFE = 86_400
"""Seconds. No setting lets an access token live longer, so a row of the log concerns nobody after that."""


@dataclass(frozen=True, slots=True)
class Act:
    """actor: a client_id, ``"cli"`` or ``"admin:<client_id>"``; now: seconds since the epoch; reason: for the records.

    key_thumbprint: the key that proved the actor, if one did; personal: erasable data, such as an address.
    """

    actor: str
    now: float
    reason: str = ""
    key_thumbprint: str = ""
    personal: dict[str, str] = field(default_factory=dict)

    def event(self, tag: str, target: str, **details: str) -> AuditEvent:
        """The audit event of this act."""
        return AuditEvent(
            tag,
            "done",
            int(self.now * 1000),
            actor=self.actor,
            target=target,
            key_thumbprint=self.key_thumbprint,
            reason=self.reason,
            details=details,
            personal=dict(self.personal),
        )

    def row(self, kind: RevocationKind, value: str, *, expires_at: int | None = None) -> Revocation:
        """The row of the revocation log that ends what hangs on ``value``."""
        end = int(self.now) + MAX_TOKEN_LIFE if expires_at is None else expires_at
        return Revocation(kind, value, int(self.now), end, self.reason)
