"""What was asked and what was answered, kept outside of everything that can break, to be compared at the end."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["answered", "refused", "for cause", "unanswered"]


@dataclass(slots=True)
class Chain:
    """The refresh tokens of one grant. last: the newest that was answered; certain: nothing of the grant is unknown."""

    last: str
    certain: bool = True


@dataclass(slots=True)
class Ledger:
    """tokens: every access token that was answered. revoked: those whose revocation was answered, and when.

    outcomes: by (kind of request, outcome). redeemed_twice, admitted_late: what must never be, in words.
    latencies: seconds from the answer to a revocation until an API refused the token. Times are of ``time.monotonic``.
    """

    tokens: list[str] = field(default_factory=list)
    revoked: dict[str, float] = field(default_factory=dict)
    outcomes: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    redeemed_twice: list[str] = field(default_factory=list)
    admitted_late: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _random: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - which token comes next

    def note(self, kind: str, outcome: Outcome, cause: str = "") -> None:
        """Count one request."""
        with self._lock:
            self.outcomes[kind, outcome] += 1
            if cause:
                self.causes[f"{kind}: {cause}"] += 1

    def add_token(self, token: str) -> None:
        """A token was answered."""
        with self._lock:
            self.tokens.append(token)

    def add_revocation(self, token: str) -> None:
        """A revocation was answered, now."""
        with self._lock:
            self.revoked[token] = time.monotonic()

    def some_token(self) -> str | None:
        """One of the newest tokens that is not known to be revoked; None if there is none."""
        with self._lock:
            standing = [token for token in self.tokens[-40:] if token not in self.revoked]
            return self._random.choice(standing) if standing else None

    def some_revoked(self) -> str | None:
        """One of all the revoked ones."""
        with self._lock:
            return self._random.choice(list(self.revoked)) if self.revoked else None
