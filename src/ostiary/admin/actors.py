"""Who acts, and when: what every act of an operator is audited with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ostiary.model.event import AuditEvent


@dataclass(frozen=True, slots=True)
class Actor:
    """name: ``"cli"`` or ``"admin:<client_id>"``; clock: seconds since the epoch; personal: erasable data."""

    name: str
    clock: Callable[[], float]
    personal: dict[str, str] = field(default_factory=dict)

    def now(self) -> int:
        """Seconds since the epoch."""
        return int(self.clock())

    def did(self, tag: str, target: str, **details: str) -> AuditEvent:
        """The audit event of an act of this actor."""
        at = int(self.clock() * 1000)
        return AuditEvent(
            tag, "done", at, actor=self.name, target=target, details=details, personal=dict(self.personal)
        )
