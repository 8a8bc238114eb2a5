"""The readers of the revocation feed: statements and repository."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, case, delete, select, update

from ostiary.model.feed_reader import FeedReader
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.feed_schema import FEED_READERS
from ostiary.storage.statements import Statement, insertion

_ROWS = FEED_READERS.c
_COLUMNS = tuple(FeedReader.__dataclass_fields__)
_ADD = insertion(FEED_READERS)
_SEEN: dict[str, Any] = {"seen_at": bindparam("seen_at"), "expires_at": bindparam("expires_at")}
_THIS = (_ROWS.tenant == bindparam("of_tenant"), _ROWS.digest == bindparam("of_digest"))
_HIGHER = case((_ROWS.position < bindparam("reached"), bindparam("reached")), else_=_ROWS.position)
_APPLIED = Statement(update(FEED_READERS).where(*_THIS).values(position=_HIGHER, **_SEEN))
_IS_KNOWN = Statement(
    select(_ROWS.position).where(_ROWS.tenant == bindparam("tenant"), _ROWS.digest == bindparam("digest"))
)
_OF_NODE = (_ROWS.tenant == bindparam("of_tenant"), _ROWS.node == bindparam("of_node"))
_KEEP = Statement(update(FEED_READERS).where(*_OF_NODE).values(_SEEN))
_REMOVE = Statement(delete(FEED_READERS).where(*_THIS))
_LIST = Statement(
    select(*(_ROWS[name] for name in _COLUMNS))
    .where(_ROWS.tenant == bindparam("tenant"))
    .order_by(_ROWS.client_id, _ROWS.digest)
)


class SqlFeedReaders:
    """A row a stream; its position is written by the reader, that it is there by its node."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, reader: FeedReader) -> None:
        await self._connection.run(_ADD, {name: getattr(reader, name) for name in _COLUMNS})

    async def applied(
        self, digest: bytes, position: int, *, seen_at: int, expires_at: int, tenant: str = TENANT
    ) -> bool:
        """Whether there is such a reader; a lower position than before changes none."""
        row = {"of_tenant": tenant, "of_digest": digest, "reached": position}
        return await self._connection.run(_APPLIED, row | {"seen_at": seen_at, "expires_at": expires_at}) > 0

    async def is_known(self, digest: bytes, *, tenant: str = TENANT) -> bool:
        return await self._connection.one(_IS_KNOWN, {"tenant": tenant, "digest": digest}) is not None

    async def keep(self, node: str, *, seen_at: int, expires_at: int, tenant: str = TENANT) -> int:
        """Every reader of ``node`` was there at ``seen_at``; how many there are."""
        named = {"of_tenant": tenant, "of_node": node, "seen_at": seen_at, "expires_at": expires_at}
        return await self._connection.run(_KEEP, named)

    async def remove(self, digests: Collection[bytes], *, tenant: str = TENANT) -> None:
        if digests:
            rows = [{"of_tenant": tenant, "of_digest": digest} for digest in sorted(digests)]
            await self._connection.run_for_each(_REMOVE, rows)

    async def list(self, *, tenant: str = TENANT) -> list[FeedReader]:
        """All of them, by client."""
        return [FeedReader(*row) for row in await self._connection.all(_LIST, {"tenant": tenant})]
