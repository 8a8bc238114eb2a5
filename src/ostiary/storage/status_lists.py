"""Token Status Lists: statements and repository; and the tokens in them that a row of the revocation log ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import ColumnElement, bindparam, select, update

from ostiary.model.revocation import Revocation, RevocationKind
from ostiary.model.status_list import StatusList, StatusListHead, StatusPlace
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.schema import ACCESS_TOKENS
from ostiary.storage.statements import Statement, insertion
from ostiary.storage.status_list_schema import STATUS_LISTS

_LISTS = STATUS_LISTS.c
_TOKENS = ACCESS_TOKENS.c
_HEAD = tuple(StatusListHead.__dataclass_fields__)
_REST = ("given", "given_count", "statuses", "token", "created_at", "tenant")
_ALL = [_LISTS[name] for name in (*_HEAD, *_REST)]
_HERE = _LISTS.tenant == bindparam("tenant")
_STANDS = _LISTS.expires_at > bindparam("now")

_GET = Statement(select(*_ALL).where(_HERE, _LISTS.list_id == bindparam("list_id")))
_HEADS = Statement(
    select(*(_LISTS[name] for name in _HEAD)).where(_HERE, _STANDS).order_by(_LISTS.created_at, _LISTS.list_id)
)
_OPEN = Statement(
    select(*_ALL)
    .where(_HERE, _STANDS, _LISTS.given_count < bindparam("capacity"), _LISTS.opened_at >= bindparam("since"))
    .order_by(_LISTS.created_at, _LISTS.list_id)
    .limit(1)
)
_ADD = insertion(STATUS_LISTS)
_THIS = (_LISTS.tenant == bindparam("of_tenant"), _LISTS.list_id == bindparam("of_list_id"))
_GIVE = Statement(
    update(STATUS_LISTS)
    .where(*_THIS, _LISTS.given_count == bindparam("before"))
    .values(given=bindparam("given"), given_count=bindparam("given_count"), expires_at=bindparam("expires_at"))
)
_PUBLISHED = ("kid", "version", "position", "renew_at", "statuses", "token")
_PUBLISH = Statement(
    update(STATUS_LISTS)
    .where(*_THIS, _LISTS.version == bindparam("before"))
    .values({name: bindparam(name) for name in _PUBLISHED})
)


def _ended(*named: ColumnElement[bool], by_position: bool = True) -> Statement:
    """The tokens in lists that hang on a value and were issued below the row's own position; clocks play no part."""
    placed = (_TOKENS.tenant == bindparam("tenant"), _TOKENS.status_list.is_not(None))
    below = (_TOKENS.rev < bindparam("position"),) if by_position else ()
    return Statement(
        select(_TOKENS.jti, _TOKENS.status_list, _TOKENS.status_index)
        .where(*placed, *named, *below)
        .where(_TOKENS.jti > bindparam("after"), _TOKENS.expires_at > bindparam("now"))
        .order_by(_TOKENS.jti)
        .limit(bindparam("limit"))
    )


def _is(column: ColumnElement[str] | ColumnElement[str | None]) -> ColumnElement[bool]:
    return column == bindparam("value")


def _fills(column: ColumnElement[str]) -> ColumnElement[bool]:
    # With the condition of the partial index, so that the database may use it.
    return (column == bindparam("value")) & (column != "")


# For the key that obtained a token and for the certificate it is bound to: two questions, each one look into an index.
_ENDED: Final[dict[RevocationKind, tuple[Statement, ...]]] = {
    "jti": (_ended(_is(_TOKENS.jti), by_position=False),),
    "client": (_ended(_is(_TOKENS.client_id)),),
    "sub": (_ended(_fills(_TOKENS.subject)),),
    "grant": (_ended(_fills(_TOKENS.grant_id)),),
    "sid": (_ended(_fills(_TOKENS.session_id)),),
    "client_key": (_ended(_fills(_TOKENS.key_thumbprint)), _ended(_fills(_TOKENS.certificate_thumbprint))),
    "signing_key": (_ended(_is(_TOKENS.signing_kid)),),
    "installation": (_ended(),),
}


def _from_row(row: Row) -> StatusList:
    return StatusList(StatusListHead(*row[: len(_HEAD)]), *row[len(_HEAD) :])


class SqlStatusLists:
    """The lists, and the places of tokens in them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, list_id: str, *, tenant: str = TENANT) -> StatusList | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "list_id": list_id})
        return _from_row(row) if row else None

    async def heads(self, now: int, *, tenant: str = TENANT) -> list[StatusListHead]:
        rows = await self._connection.all(_HEADS, {"tenant": tenant, "now": now})
        return [StatusListHead(*row) for row in rows]

    async def open(self, capacity: int, now: int, *, since: int = 0, tenant: str = TENANT) -> StatusList | None:
        asked = {"tenant": tenant, "now": now, "capacity": capacity, "since": since}
        row = await self._connection.one(_OPEN, asked)
        return _from_row(row) if row else None

    async def add(self, made: StatusList) -> None:
        row = {name: getattr(made.head, name) for name in _HEAD} | {name: getattr(made, name) for name in _REST}
        await self._connection.run(_ADD, row)

    async def give(self, before: StatusList, given: bytes, given_count: int, expires_at: int) -> bool:
        row = {"of_tenant": before.tenant, "of_list_id": before.head.list_id, "before": before.given_count}
        row |= {"given": given, "given_count": given_count, "expires_at": max(expires_at, before.head.expires_at)}
        return await self._connection.run(_GIVE, row) > 0

    async def publish(self, head: StatusListHead, statuses: bytes, token: bytes, *, tenant: str = TENANT) -> bool:
        row = {"of_tenant": tenant, "of_list_id": head.list_id, "before": head.version - 1}
        row |= {name: getattr(head, name) for name in ("kid", "version", "position", "renew_at")}
        return await self._connection.run(_PUBLISH, row | {"statuses": statuses, "token": token}) > 0

    async def ended_by(self, revocation: Revocation, *, now: int, page: int = 2000) -> AsyncIterator[list[StatusPlace]]:
        asked = {"tenant": revocation.tenant, "value": revocation.value, "position": revocation.position}
        for statement in _ENDED[revocation.kind]:
            after = ""
            while rows := await self._connection.all(statement, asked | {"now": now, "after": after, "limit": page}):
                yield [StatusPlace(list_id, index) for _, list_id, index in rows]
                after = rows[-1][0]
