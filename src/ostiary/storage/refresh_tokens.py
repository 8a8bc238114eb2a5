"""Refresh tokens: statements and repository. Check and mark is one statement, so of many uses of one token one wins."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from ostiary.model.refresh_token import RefreshToken
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.schema import REFRESH_TOKENS
from ostiary.storage.statements import Statement, insertion, lookup

_TOKENS = REFRESH_TOKENS.c
_COLUMNS = tuple(RefreshToken.__dataclass_fields__)
_GET = lookup(REFRESH_TOKENS, _COLUMNS, "tenant", "digest")
_ADD = insertion(REFRESH_TOKENS)
_THIS = (_TOKENS.tenant == bindparam("of_tenant"), _TOKENS.digest == bindparam("of_digest"))
_USE = Statement(
    update(REFRESH_TOKENS)
    .where(*_THIS, _TOKENS.used_at.is_(None))
    .values(
        used_at=bindparam("at"),
        successor=bindparam("successor"),
        successor_digest=bindparam("successor_digest"),
        retry_until=bindparam("retry_until"),
    )
)
_CLOSED = {"successor": None}
_CLOSE = Statement(
    update(REFRESH_TOKENS)
    .where(
        _TOKENS.tenant == bindparam("of_tenant"),
        _TOKENS.grant_id == bindparam("of_grant_id"),
        _TOKENS.successor.is_not(None),
    )
    .values(_CLOSED)
)
_CLOSE_BEFORE = Statement(
    update(REFRESH_TOKENS)
    .where(
        _TOKENS.tenant == bindparam("of_tenant"),
        _TOKENS.grant_id == bindparam("of_grant_id"),
        _TOKENS.successor_digest == bindparam("of_successor"),
    )
    .values(_CLOSED)
)
_OLD = (_TOKENS.successor.is_not(None), _TOKENS.retry_until <= bindparam("now"))
_ANY_OLD = Statement(select(_TOKENS.retry_until).where(*_OLD).limit(1))
_CLOSE_OLD = Statement(update(REFRESH_TOKENS).where(*_OLD).values(_CLOSED))


class SqlRefreshTokens:
    """The refresh tokens and their successors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, digest: bytes, *, tenant: str = TENANT) -> RefreshToken | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "digest": digest})
        return RefreshToken(*row) if row else None

    async def add(self, token: RefreshToken) -> None:
        await self._connection.run(_ADD, {name: getattr(token, name) for name in _COLUMNS})

    async def use(
        self,
        digest: bytes,
        *,
        at: int,
        successor: bytes | None,
        successor_digest: bytes | None,
        retry_until: int | None,
        tenant: str = TENANT,
    ) -> bool:
        """Mark it used, once: False for all but the first. Keeps the sealed successor until ``retry_until``."""
        row = {
            "of_tenant": tenant,
            "of_digest": digest,
            "at": at,
            "successor": successor,
            "successor_digest": successor_digest,
            "retry_until": retry_until,
        }
        return await self._connection.run(_USE, row) > 0

    async def close_windows(self, grant_id: str, *, tenant: str = TENANT) -> int:
        """Erase the sealed successors of a family: from now on its used tokens are reuse; how many."""
        return await self._connection.run(_CLOSE, {"of_tenant": tenant, "of_grant_id": grant_id})

    async def close_windows_before(self, grant_id: str, successor_digest: bytes, *, tenant: str = TENANT) -> int:
        """Erase the sealed form of this successor, because it was used; how many."""
        row = {"of_tenant": tenant, "of_grant_id": grant_id, "of_successor": successor_digest}
        return await self._connection.run(_CLOSE_BEFORE, row)

    async def has_old_windows(self, now: int) -> bool:
        """Whether ``close_old_windows`` has anything to do."""
        return await self._connection.one(_ANY_OLD, {"now": now}) is not None

    async def close_old_windows(self, now: int) -> int:
        """Erase the sealed successors whose window has ended, in every tenant; how many."""
        return await self._connection.run(_CLOSE_OLD, {"now": now})
