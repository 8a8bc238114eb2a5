"""Refusals of callers that nobody knows: some get rows of their own, the rest is counted and summed up in one event.

Anybody can send bad requests, as many as the line carries. If each were written, a stranger could fill the disk with a
log that may not be deleted. So a token bucket for each source, and one for all, says which refusals get an audit row
and a trace. Of the others the caller still gets its error; they are counted by check and by source, and every few
seconds the counts become one audit event. Their trace ids stand in the log alone, and there only so many a minute.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ostiary.audit import tags
from ostiary.authorization_server import http
from ostiary.authorization_server.source_address import source
from ostiary.authorization_server.token_bucket import SourceBuckets, TokenBucket
from ostiary.errors import OAuthError, Unavailable, VerificationError
from ostiary.model.event import AuditEvent
from ostiary.storage.base import Storage

if TYPE_CHECKING:
    from ostiary.settings import Settings

INTERVAL: Final = 10.0
"""Seconds between two summaries of one process."""
LOG_LINES_PER_MINUTE: Final = 60
"""Of refusals without rows, in one process."""
MAX_NAMED: Final = 20
"""So many sources are named in one event, those with the most refusals; the rest counts as ``others``."""
_MAX_COUNTED = 1000  # so many sources are counted one by one within an interval
_OTHERS = "others"


class UnauthenticatedRefusals:
    """One a process. monotonic: a clock for the buckets that no correction of the time turns back."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        audit = settings.audit
        one = audit.unauthenticated_refusals_per_minute_and_address
        self._rows = SourceBuckets(audit.unauthenticated_refusals_per_minute, one, monotonic)
        self._lines = TokenBucket(LOG_LINES_PER_MINUTE, monotonic)
        self._checks: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._since = 0.0

    def gets_rows(self, address: str) -> bool:
        """Whether this refusal of ``address`` is to be written as an audit row and a trace."""
        return self._rows.take(source(address))

    def count(self, error: Exception, address: str, where: str, trace_id: str, *, now: float) -> None:
        """Count a refusal that gets no rows; now: seconds since the epoch. Its trace id may go into the log."""
        if not self._checks:
            self._since = now
        self._checks[check_of(error)] += 1
        key = source(address)
        self._sources[key if key in self._sources or len(self._sources) < _MAX_COUNTED else _OTHERS] += 1
        if self._lines.take():
            http.report(error, trace_id, where)

    async def summarise(self, storage: Storage, *, now: float) -> int:
        """Write one event over what was counted since the last one; how many refusals. After a fault they stay counted.

        Raises Unavailable.
        """
        checks, sources = self._checks, self._sources
        if not checks:
            return 0
        self._checks, self._sources = Counter(), Counter()
        try:
            async with storage.write() as work:
                await work.audit.append(_event(checks, sources, self._since, now))
        except BaseException:
            self._checks.update(checks)
            self._sources.update(sources)
            raise
        total = checks.total()
        http.log.warning("%d refusals of unauthenticated callers got no rows: too many at once", total)
        return total


def check_of(error: Exception) -> str:
    """The name of the check, or of the part, that ended a decision."""
    match error:
        case OAuthError() | VerificationError():
            return error.check
        case Unavailable():
            return error.part
        case _:
            return "internal"


def _event(checks: Counter[str], sources: Counter[str], since: float, now: float) -> AuditEvent:
    named = {name: count for name, count in sources.most_common(MAX_NAMED) if name != _OTHERS}
    others = sources.total() - sum(named.values())
    return AuditEvent(
        tags.REFUSALS_SUMMARISED,
        "refused",
        int(now * 1000),
        actor="server",
        target=f"{checks.total()} refusals",
        details={"since": str(int(since * 1000)), **{f"check {name}": str(count) for name, count in checks.items()}},
        personal={name: str(count) for name, count in named.items()} | ({_OTHERS: str(others)} if others else {}),
    )
