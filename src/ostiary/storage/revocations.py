"""The revocation log: rows ordered by commit, and the question which of them ends a token."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, text

from ostiary.model.revocation import Revocation
from ostiary.model.token import AccessToken
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.ledger import Ledger
from ostiary.storage.schema import REVOCATIONS
from ostiary.storage.statements import Statement

_ROWS = REVOCATIONS.c
_COLUMNS = tuple(Revocation.__dataclass_fields__)
_SELECTED = [_ROWS[name] for name in _COLUMNS]
_HERE = _ROWS.tenant == bindparam("tenant")
_SINCE = Statement(
    select(*_SELECTED)
    .where(_HERE, _ROWS.position > bindparam("position"))
    .order_by(_ROWS.position)
    .limit(bindparam("limit"))
)


def _named(kind: str, parameter: str) -> ColumnElement[bool]:
    """Rows above the token's own position that name what it hangs on; clocks play no part."""
    named = and_(_HERE, _ROWS.kind == kind, _ROWS.value == bindparam(parameter))
    return and_(named, _ROWS.position > bindparam("rev"))


# Kind and parameter of what a token hangs on; a row of these ends it above the token's own position alone.
_HANGS_ON = {
    "client": ("client_id",),
    "sub": ("subject",),
    "grant": ("grant_id",),
    "sid": ("session_id",),
    "client_key": ("key_thumbprint", "certificate_thumbprint"),
    "signing_key": ("signing_kid",),
}
_LOOKS = [(kind, name) for kind, names in _HANGS_ON.items() for name in names]
# Every branch names tenant, kind and value, so that each is one look into the index.
_ON_SQLITE = (
    select(*_SELECTED)
    .where(
        or_(
            and_(_HERE, _ROWS.kind == "jti", _ROWS.value == bindparam("jti")),
            *(_named(kind, name) for kind, name in _LOOKS),
            and_(_HERE, _ROWS.kind == "installation", _ROWS.value == "", _ROWS.position > bindparam("rev")),
        )
    )
    .order_by(_ROWS.position)
    .limit(1)
)
# PostgreSQL plans for the rows that there were when it was asked first, and of few it reads all, for ever. A LIMIT
# inside LATERAL leaves it one look for each name, and what is ordered by no column is not read in the order of the key.
_ON_POSTGRESQL = f"""
SELECT {", ".join(f"ends.{name}" for name in _COLUMNS)}
FROM (VALUES ('jti', CAST(:jti AS TEXT), CAST(-1 AS BIGINT)), ('installation', '', CAST(:rev AS BIGINT)),
    {", ".join(f"('{kind}', CAST(:{name} AS TEXT), CAST(:rev AS BIGINT))" for kind, name in _LOOKS)}
) AS named (kind, value, above) CROSS JOIN LATERAL (
    SELECT * FROM revocations AS one WHERE one.tenant = CAST(:tenant AS TEXT) AND one.kind = named.kind
    AND one.value = named.value AND one.position > named.above ORDER BY one.position + 0 LIMIT 1
) AS ends ORDER BY ends.position LIMIT 1
"""  # noqa: S608 - only the names of columns and parameters are put in
_ENDS = Statement(_ON_SQLITE, postgresql=text(_ON_POSTGRESQL))
_JTI_ENDS = Statement(
    select(*_SELECTED)
    .where(_HERE, _ROWS.kind == "jti", _ROWS.value == bindparam("jti"))
    .order_by(_ROWS.position)
    .limit(1)
)
_KEY_ENDS = Statement(
    select(*_SELECTED).where(_named("client_key", "key_thumbprint")).order_by(_ROWS.position).limit(1)
)


def _from_row(row: Row) -> Revocation:
    return Revocation(*row)


class SqlRevocations:
    """The log; rows are the truth and are ordered by commit."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def append(self, revocation: Revocation) -> None:
        """Write a row; it gets its position at the end of the unit of work."""
        self._ledger.revoke(revocation)

    async def position(self) -> int:
        """Of the last row that this unit of work has appended; nobody else writes to the log before its commit."""
        await self._ledger.settle()
        return self._ledger.reached

    async def ends(self, token: AccessToken, *, key_thumbprints: Sequence[str] = ()) -> Revocation | None:
        """The row that ends this token, if any; ``key_thumbprints``: further keys with which it falls."""
        if await self._ledger.nothing_revoked_since(token.rev, token.tenant):
            row = await self._connection.one(_JTI_ENDS, {"tenant": token.tenant, "jti": token.jti})
            return _from_row(row) if row else None
        parameters = {
            "tenant": token.tenant,
            "rev": token.rev,
            "jti": token.jti,
            "client_id": token.client_id,
            "subject": token.subject,
            "grant_id": token.grant_id,
            "session_id": token.session_id,
            "key_thumbprint": token.key_thumbprint,
            "certificate_thumbprint": token.certificate_thumbprint,
            "signing_kid": token.signing_kid,
        }
        row = await self._connection.one(_ENDS, parameters)
        for thumbprint in key_thumbprints:
            row = row or await self._connection.one(_KEY_ENDS, parameters | {"key_thumbprint": thumbprint})
        return _from_row(row) if row else None

    async def since(self, position: int, *, limit: int = 1000, tenant: str = TENANT) -> list[Revocation]:
        """The rows above a position, in order."""
        await self._ledger.settle()
        parameters = {"tenant": tenant, "position": position, "limit": limit}
        return [_from_row(row) for row in await self._connection.all(_SINCE, parameters)]
