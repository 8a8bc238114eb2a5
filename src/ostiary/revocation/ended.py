"""What an act ended: how many of each kind, whatever hung on what."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Ended:
    """False if nothing ended: what the act names is not there, or had ended before.

    tokens: those that were named one by one; the log's rows end all the others, and nobody has counted them.
    """

    clients: int = 0
    users: int = 0
    sessions: int = 0
    consents: int = 0
    grants: int = 0
    keys: int = 0
    certificates: int = 0
    tokens: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def __add__(self, other: Ended) -> Ended:
        return Ended(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


NOTHING = Ended()
