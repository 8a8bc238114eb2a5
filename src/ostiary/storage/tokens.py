"""Access tokens: statements and repository. The token itself is never kept, of a reference token only its digest."""

from __future__ import annotations

from operator import attrgetter

from sqlalchemy import bindparam, func, select

from ostiary.model.token import AccessToken
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.schema import ACCESS_TOKENS
from ostiary.storage.statements import Statement, insertion, lookup

_TOKENS = ACCESS_TOKENS.c
_COLUMNS = tuple(AccessToken.__struct_fields__)
_values = attrgetter(*_COLUMNS)
_ADD = insertion(ACCESS_TOKENS)
_BY_JTI = lookup(ACCESS_TOKENS, _COLUMNS, "tenant", "jti")
_BY_DIGEST = lookup(ACCESS_TOKENS, _COLUMNS, "tenant", "digest")
_OF_CLIENT = Statement(
    select(*(_TOKENS[name] for name in _COLUMNS))
    .where(
        _TOKENS.tenant == bindparam("tenant"),
        _TOKENS.client_id == bindparam("client_id"),
        _TOKENS.jti > bindparam("after"),
        _TOKENS.expires_at > bindparam("now"),
    )
    .order_by(_TOKENS.jti)
    .limit(bindparam("limit"))
)
_SOME_OF_CLIENT = (
    select(_TOKENS.jti)
    .where(
        _TOKENS.tenant == bindparam("tenant"),
        _TOKENS.client_id == bindparam("client_id"),
        _TOKENS.expires_at > bindparam("now"),
    )
    .limit(bindparam("most"))
)
_COUNT_OF_CLIENT = Statement(select(func.count()).select_from(_SOME_OF_CLIENT.subquery()))


class SqlTokens:
    """The access tokens that were issued and have not expired, or so lately that they can still be revoked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, token: AccessToken) -> None:
        await self._connection.later(_ADD, dict(zip(_COLUMNS, _values(token), strict=True)))

    async def by_jti(self, jti: str, *, tenant: str = TENANT) -> AccessToken | None:
        row = await self._connection.one(_BY_JTI, {"tenant": tenant, "jti": jti})
        return AccessToken(*row) if row else None

    async def by_digest(self, digest: bytes, *, tenant: str = TENANT) -> AccessToken | None:
        row = await self._connection.one(_BY_DIGEST, {"tenant": tenant, "digest": digest})
        return AccessToken(*row) if row else None

    async def of_client(
        self, client_id: str, *, now: int, after: str = "", limit: int = 100, tenant: str = TENANT
    ) -> list[AccessToken]:
        """The client's tokens that have not expired at ``now``, ordered by jti, above ``after``."""
        parameters = {"tenant": tenant, "client_id": client_id, "now": now, "after": after, "limit": limit}
        return [AccessToken(*row) for row in await self._connection.all(_OF_CLIENT, parameters)]

    async def count_of_client(self, client_id: str, *, now: int, most: int, tenant: str = TENANT) -> int:
        """How many of the client's tokens have not expired, ``most`` for so many and more."""
        parameters = {"tenant": tenant, "client_id": client_id, "now": now, "most": most}
        row = await self._connection.one(_COUNT_OF_CLIENT, parameters)
        return int(row[0]) if row else 0
