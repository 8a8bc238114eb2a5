"""Deliveries that wait for their time: statements and repository."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select, update

from ostiary.model.delivery import Delivery, DeliveryKind
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.schema import DELIVERIES
from ostiary.storage.statements import Statement, insertion

_ROWS = DELIVERIES.c
_COLUMNS = tuple(Delivery.__dataclass_fields__)
_ADD = insertion(DELIVERIES)
_CHOSEN = (
    select(*(_ROWS[name] for name in _COLUMNS))
    .where(_ROWS.tenant == bindparam("tenant"), _ROWS.due_at <= bindparam("now"))
    .order_by(_ROWS.due_at, _ROWS.delivery_id)
    .limit(bindparam("limit"))
)
_DUE = Statement(_CHOSEN)
_DUE_OF_KIND = Statement(_CHOSEN.where(_ROWS.kind == bindparam("kind")))
_THIS = (_ROWS.tenant == bindparam("of_tenant"), _ROWS.delivery_id == bindparam("of_delivery_id"))
_REMOVE = Statement(delete(DELIVERIES).where(*_THIS))
# Who takes it has it to itself until the next due time: of two that try, the attempts tell who was first.
_TAKE = Statement(
    update(DELIVERIES)
    .where(*_THIS, _ROWS.attempts == bindparam("of_attempts"))
    .values(attempts=_ROWS.attempts + 1, due_at=bindparam("due_at"))
)


class SqlDeliveries:
    """The queue. A process takes a delivery for a while; if it dies, the delivery is due again after it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, delivery: Delivery) -> None:
        await self._connection.run(_ADD, {name: getattr(delivery, name) for name in _COLUMNS})

    async def due(
        self, *, now: int, kind: DeliveryKind | None = None, limit: int = 20, tenant: str = TENANT
    ) -> list[Delivery]:
        """What is due at ``now`` (seconds since the epoch), of one kind or of all, the oldest first."""
        named = {"tenant": tenant, "now": now, "limit": limit}
        rows = await self._connection.all(*((_DUE, named) if kind is None else (_DUE_OF_KIND, named | {"kind": kind})))
        return [Delivery(*row) for row in rows]

    async def take(self, delivery: Delivery, *, due_at: int) -> bool:
        """Whether this caller may try it now; it is due again at ``due_at`` unless it is removed before. Atomic."""
        row = {
            "of_tenant": delivery.tenant,
            "of_delivery_id": delivery.delivery_id,
            "of_attempts": delivery.attempts,
            "due_at": due_at,
        }
        return await self._connection.run(_TAKE, row) > 0

    async def remove(self, delivery_id: str, *, tenant: str = TENANT) -> None:
        await self._connection.run(_REMOVE, {"of_tenant": tenant, "of_delivery_id": delivery_id})
