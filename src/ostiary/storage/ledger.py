"""What one unit of work still owes the database: registry and revocation positions, taken last, just before the commit.

A position must follow the order of commits. On SQLite there is one writer at a time. On PostgreSQL the counter's row
lock, taken by the last statements and held until the commit, makes later takers wait, so that a higher position is
never visible before a lower one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ostiary.errors import ConfigurationError
from ostiary.model.revocation import END_OF_EPOCHS, EPOCH, Revocation, epoch_at
from ostiary.model.signal import SignalEvent
from ostiary.storage.base import TENANT, Positions
from ostiary.storage.connection import Connection, Row
from ostiary.storage.schema import COUNTERS, REVOCATIONS
from ostiary.storage.signal_schema import SIGNAL_EVENTS
from ostiary.storage.statements import Statement, insertion

_VALUES: dict[str, Any] = {"tenant": bindparam("tenant"), "name": bindparam("name"), "value": bindparam("by")}
_ON = [COUNTERS.c.tenant, COUNTERS.c.name]
_RAISED = {"value": COUNTERS.c.value + bindparam("by")}

_RAISE = Statement(
    sqlite_insert(COUNTERS)
    .values(_VALUES)
    .on_conflict_do_update(index_elements=_ON, set_=_RAISED)
    .returning(COUNTERS.c.value),
    postgresql=postgresql_insert(COUNTERS)
    .values(_VALUES)
    .on_conflict_do_update(index_elements=_ON, set_=_RAISED)
    .returning(COUNTERS.c.value),
)
# To the beginning of another epoch: no position that the lost end of a database may have given is given again.
_WIDTH: ColumnElement[int] = literal_column(str(EPOCH.bit_length() - 1))  # PostgreSQL shifts by an int4 alone
_NEXT = (COUNTERS.c.value.bitwise_rshift(_WIDTH) + 1).bitwise_lshift(_WIDTH)
_NEXT_EPOCH = {"value": case((bindparam("by") > _NEXT, bindparam("by")), else_=_NEXT)}
_RAISE_EPOCH = Statement(
    sqlite_insert(COUNTERS)
    .values(_VALUES)
    .on_conflict_do_update(index_elements=_ON, set_=_NEXT_EPOCH)
    .returning(COUNTERS.c.value),
    postgresql=postgresql_insert(COUNTERS)
    .values(_VALUES)
    .on_conflict_do_update(index_elements=_ON, set_=_NEXT_EPOCH)
    .returning(COUNTERS.c.value),
)
# The clock of this act may be behind that of the one before: what was lost then stays lost.
_SET_AT_LEAST = {"value": case((COUNTERS.c.value < bindparam("by"), bindparam("by")), else_=COUNTERS.c.value)}
_RAISE_TO = Statement(
    sqlite_insert(COUNTERS).values(_VALUES).on_conflict_do_update(index_elements=_ON, set_=_SET_AT_LEAST),
    postgresql=postgresql_insert(COUNTERS)
    .values(_VALUES)
    .on_conflict_do_update(index_elements=_ON, set_=_SET_AT_LEAST),
)
_MARKS_SINCE = "marks_since"
READ_COUNTERS = Statement(select(COUNTERS.c.name, COUNTERS.c.value).where(COUNTERS.c.tenant == bindparam("tenant")))
_REGISTRY = select(COUNTERS.c.value).where(COUNTERS.c.tenant == bindparam("tenant"), COUNTERS.c.name == "registry")
# A changer's UPDATE of the counter waits until every transaction that decided on the old registry has ended.
HOLD_REGISTRY = Statement(_REGISTRY.with_for_update(read=True))
# FOR NO KEY UPDATE, the lock of that UPDATE itself: whoever holds the row shared and then updates it meets its like in
# a deadlock.
TAKE_REGISTRY = Statement(_REGISTRY.with_for_update(key_share=True))
_APPEND = insertion(REVOCATIONS)
CHANNEL = "ostiary_revocations"
"""Where PostgreSQL notifies of each commit that has added to the revocation log."""
_NOTIFY = Statement(select(func.pg_notify(CHANNEL, "")))
_SIGNAL = insertion(SIGNAL_EVENTS)
_SIGNAL_COLUMNS = tuple(SignalEvent.__dataclass_fields__)
TENANTS = Statement(select(COUNTERS.c.tenant).distinct())
SET_COUNTER = Statement(
    update(COUNTERS)
    .where(COUNTERS.c.tenant == bindparam("of_tenant"), COUNTERS.c.name == bindparam("of_name"))
    .values(value=bindparam("value"))
)


def _counters(rows: list[Row]) -> dict[str, int]:
    return {str(name): int(value) for name, value in rows}


def positions_of(rows: list[Row]) -> Positions:
    """Two of the counters of a tenant, 0 where a counter was never raised."""
    counters = _counters(rows)
    return Positions(counters.get("registry", 0), counters.get("revocation", 0))


async def positions_now(connection: Connection) -> Positions:
    """Where the database stands, asked by itself: nothing is held."""
    return positions_of(await connection.all(READ_COUNTERS, {"tenant": TENANT}))


class Ledger:
    """The debts of one unit of work, and what it knows of the positions."""

    def __init__(self, connection: Connection, *, shared: bool) -> None:
        """shared: whether other transactions write at the same time (PostgreSQL), so that reading needs a lock."""
        self._connection = connection
        self._shared = shared
        self._changed: set[str] = set()
        self._revocations: list[Revocation] = []
        self._signals: list[SignalEvent] = []
        self._positions: Positions | None = None
        self._marks_since = 0  # where the positions are known
        self._deciding = False
        self.reached = 0
        """The position of the last row of the log that this unit of work has paid, 0 if it has not."""

    def begin(self, *, deciding: bool = False) -> None:
        """A new transaction: nothing is owed and nothing is known; deciding: it writes what rests on the registry."""
        self._deciding = deciding
        self.forget()

    def forget(self) -> None:
        """Drop the debts of a unit of work that is rolled back."""
        if self._changed or self._revocations or self._signals:
            self._changed, self._revocations, self._signals = set(), [], []
        self._positions = None
        self.reached = 0

    def registry_changed(self, tenant: str) -> None:
        """Owe the tenant a higher registry position."""
        self._changed.add(tenant)

    def revoke(self, revocation: Revocation) -> None:
        """Owe the log a row."""
        self._revocations.append(revocation)

    def signal(self, event: SignalEvent) -> None:
        """Owe a stream an event."""
        self._signals.append(event)

    async def settle(self) -> None:
        """Pay what is owed; called before the commit and before whatever reads it."""
        if self._changed or self._revocations or self._signals:
            await self._pay()

    async def _pay(self) -> None:
        # Taken before the first wait, so that of several callers of one transaction each debt is paid once.
        changed, revocations, signals = self._changed, self._revocations, self._signals
        self._changed, self._revocations, self._signals = set(), [], []
        self._positions = None
        # Counters are locked in one order everywhere (registry, revocation, signals; by tenant), against deadlocks.
        begun = {row.tenant: row.at for row in revocations if row.kind == "installation"}
        for tenant in sorted(changed | set(begun)):
            if tenant in begun:
                # What was published with a registry position (SPIFFE) never goes back either.
                await self._raise_epoch(tenant, "registry", begun[tenant])
            else:
                await self._raise(tenant, "registry", 1)
        for tenant in sorted({row.tenant for row in revocations}):
            await self._pay_log(tenant, [row for row in revocations if row.tenant == tenant])
        if revocations and self._shared:
            # Delivered by the database after the commit; a transaction that is rolled back notifies nobody.
            await self._connection.later(_NOTIFY, {})
        for tenant in sorted({event.tenant for event in signals}):
            await self._pay_signals(tenant, [event for event in signals if event.tenant == tenant])

    async def _pay_signals(self, tenant: str, events: list[SignalEvent]) -> None:
        first = await self._raise(tenant, "signals", len(events)) - len(events) + 1
        for position, event in enumerate(events, first):
            row = {name: getattr(event, name) for name in _SIGNAL_COLUMNS} | {"position": position}
            await self._connection.later(_SIGNAL, row)

    async def _pay_log(self, tenant: str, rows: list[Revocation]) -> None:
        """Give each row its position: an installation's the first of a new epoch, the others one after the other."""
        others = [row for row in rows if row.kind != "installation"]
        for row in rows:
            if row.kind == "installation":
                self.reached = await self._raise_epoch(tenant, "revocation", row.at)
                await self._append(replace(row, position=self.reached))
        if others:
            first = await self._raise(tenant, "revocation", len(others)) - len(others) + 1
            for position, row in enumerate(others, first):
                await self._append(replace(row, position=position))
                self.reached = position

    async def _raise_epoch(self, tenant: str, name: str, at: int) -> int:
        named = {"tenant": tenant, "name": name, "by": epoch_at(at) * EPOCH}
        row = await self._connection.one(_RAISE_EPOCH, named)
        begins = int(row[0]) if row else 0
        if begins >= END_OF_EPOCHS - EPOCH:
            raise ConfigurationError("There are no epochs left: set up a new installation and enrol its clients there.")
        return begins

    async def marks_lost_before(self, at: int, tenant: str) -> None:
        """From now on replay marks that were made before ``at`` (seconds) count as lost."""
        self._positions = None
        await self._connection.run(_RAISE_TO, {"tenant": tenant, "name": _MARKS_SINCE, "by": at})

    async def marks_since(self, tenant: str) -> int:
        """The second since which no replay mark was lost, 0 if none ever was; no lock is taken for it."""
        if self._positions is not None and tenant == TENANT:
            return self._marks_since
        return _counters(await self._connection.all(READ_COUNTERS, {"tenant": tenant})).get(_MARKS_SINCE, 0)

    async def _raise(self, tenant: str, name: str, by: int) -> int:
        row = await self._connection.one(_RAISE, {"tenant": tenant, "name": name, "by": by})
        return int(row[0]) if row else 0

    async def _append(self, row: Revocation) -> None:
        named = ("kind", "value", "at", "expires_at", "reason", "position", "tenant")
        await self._connection.later(_APPEND, {name: getattr(row, name) for name in named})

    async def positions(self, *, changing: bool = False) -> Positions:
        """The positions as this transaction sees them; on SQLite nobody can pass them until the commit.

        changing: the transaction will raise the registry's, so it takes the counter at once. To be asked first.
        """
        await self.settle()
        if self._positions is None:
            of_tenant = {"tenant": TENANT}
            if self._shared and self._deciding:
                await self._connection.later(TAKE_REGISTRY if changing else HOLD_REGISTRY, of_tenant)
            rows = await self._connection.all(READ_COUNTERS, of_tenant)
            self._positions, self._marks_since = positions_of(rows), _counters(rows).get(_MARKS_SINCE, 0)
        return self._positions

    async def nothing_revoked_since(self, position: int, tenant: str) -> bool:
        """Whether the log surely has no row above ``position``; False where others may add one (PostgreSQL)."""
        await self.settle()
        if self._shared or tenant != TENANT:
            return False
        return (await self.positions()).revocation <= position
