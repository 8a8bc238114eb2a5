"""Credentials, accounts, orders, authorizations and challenges of ACME."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Table, and_, bindparam, func, or_, select, update

from ostiary.model.acme import AcmeAccount, AcmeAuthorization, AcmeChallenge, AcmeCredential, AcmeOrder
from ostiary.model.tenant import TENANT
from ostiary.storage.acme_schema import (
    ACME_ACCOUNTS,
    ACME_AUTHORIZATIONS,
    ACME_CHALLENGES,
    ACME_CREDENTIALS,
    ACME_ORDERS,
)
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.statements import Statement, addition, lookup

_Record = TypeVar("_Record", AcmeCredential, AcmeAccount, AcmeOrder, AcmeAuthorization, AcmeChallenge)
_TEXTS = decoder(tuple[str, ...])


class _Kind(Generic[_Record]):
    """How one kind of record stands in its table. key: beside the tenant; texts: columns that hold a list as JSON."""

    def __init__(self, table: Table, made: type[_Record], key: str, *texts: str) -> None:
        self.table = table
        self._made: type[_Record] = made
        self._key, self._texts = key, texts
        self.columns = tuple(made.__dataclass_fields__)
        self.add = addition(table)
        self.get = lookup(table, self.columns, "tenant", key)

    def by(self, column: str) -> Statement:
        """Those with a value in a column."""
        return lookup(self.table, self.columns, "tenant", column)

    def move(self, *watched: str) -> Statement:
        """An UPDATE of the row that happens only while the ``watched`` columns have the values ``was_<column>``."""
        of = self.table.c
        change: dict[str, Any] = {}
        for column in self.columns:
            if column not in ("tenant", self._key):
                change[column] = bindparam(column)
        still = (of[name] == bindparam(f"was_{name}") for name in watched)
        here = (of.tenant == bindparam("of_tenant"), of[self._key] == bindparam("of_key"))
        return Statement(update(self.table).where(*here, *still).values(change))

    def row(self, record: _Record) -> dict[str, Any]:
        row = {name: getattr(record, name) for name in self.columns}
        return row | {name: to_json(row[name]) for name in self._texts}

    def moved(self, record: _Record, **was: object) -> dict[str, Any]:
        row = self.row(record)
        named = {"of_tenant": row.pop("tenant"), "of_key": row.pop(self._key)}
        return row | named | {f"was_{name}": value for name, value in was.items()}

    def record(self, row: Row) -> _Record:
        named = dict(zip(self.columns, row, strict=True))
        made: _Record = self._made(**(named | {name: _TEXTS.decode(named[name]) for name in self._texts}))
        return made


_CREDENTIALS = _Kind(ACME_CREDENTIALS, AcmeCredential, "key_id", "dns", "networks")
_LIST_CREDENTIALS = Statement(
    select(*(ACME_CREDENTIALS.c[name] for name in _CREDENTIALS.columns))
    .where(ACME_CREDENTIALS.c.tenant == bindparam("tenant"))
    .order_by(ACME_CREDENTIALS.c.created_at, ACME_CREDENTIALS.c.key_id)
)
_REVOKE_CREDENTIAL = Statement(
    update(ACME_CREDENTIALS)
    .where(
        ACME_CREDENTIALS.c.tenant == bindparam("of_tenant"),
        ACME_CREDENTIALS.c.key_id == bindparam("of_key_id"),
        ACME_CREDENTIALS.c.state == "active",
    )
    .values(state="revoked", revoked_at=bindparam("at"))
)

_ACCOUNTS = _Kind(ACME_ACCOUNTS, AcmeAccount, "account_id", "contacts")
_ACCOUNT_BY_KEY = _ACCOUNTS.by("thumbprint")
_REPLACE_ACCOUNT = _ACCOUNTS.move("state")
_COUNT_ACCOUNTS = Statement(
    select(func.count())
    .select_from(ACME_ACCOUNTS)
    .where(ACME_ACCOUNTS.c.tenant == bindparam("tenant"), ACME_ACCOUNTS.c.credential == bindparam("credential"))
)

_ORDERS = _Kind(ACME_ORDERS, AcmeOrder, "order_id", "identifiers")
_OF_ORDER = ACME_ORDERS.c
_HERE = (_OF_ORDER.tenant == bindparam("tenant"), _OF_ORDER.account_id == bindparam("account_id"))
_ORDERS_OF_ACCOUNT = Statement(
    select(*(_OF_ORDER[name] for name in _ORDERS.columns))
    .where(*_HERE)
    .order_by(_OF_ORDER.created_at.desc(), _OF_ORDER.order_id)
    .limit(bindparam("limit"))
)
_OPEN_ORDERS = Statement(
    select(func.count())
    .select_from(ACME_ORDERS)
    .where(*_HERE, or_(_OF_ORDER.state == "pending", _OF_ORDER.state == "ready"), _OF_ORDER.ends_at > bindparam("now"))
)
_REPLACING = _ORDERS.by("replaces")
_MOVE_ORDER = _ORDERS.move("state")

_AUTHORIZATIONS = _Kind(ACME_AUTHORIZATIONS, AcmeAuthorization, "authorization_id")
_AUTHORIZATIONS_OF = _AUTHORIZATIONS.by("order_id")
_PROVED = Statement(
    select(ACME_AUTHORIZATIONS.c.identifier)
    # By way of the orders, which have an index by account.
    .join(
        ACME_ORDERS,
        and_(_OF_ORDER.tenant == ACME_AUTHORIZATIONS.c.tenant, _OF_ORDER.order_id == ACME_AUTHORIZATIONS.c.order_id),
    )
    .where(*_HERE, ACME_AUTHORIZATIONS.c.state == "valid", ACME_AUTHORIZATIONS.c.ends_at > bindparam("now"))
    .distinct()
)
_MOVE_AUTHORIZATION = _AUTHORIZATIONS.move("state")

_CHALLENGES = _Kind(ACME_CHALLENGES, AcmeChallenge, "challenge_id")
_CHALLENGES_OF = _CHALLENGES.by("authorization_id")
_MOVE_CHALLENGE = _CHALLENGES.move("state", "attempts")
_BY_TIME = (ACME_CHALLENGES.c.due_at, ACME_CHALLENGES.c.challenge_id)
_DUE = Statement(
    select(*(ACME_CHALLENGES.c[name] for name in _CHALLENGES.columns))
    .where(
        ACME_CHALLENGES.c.tenant == bindparam("tenant"),
        ACME_CHALLENGES.c.state == "processing",
        ACME_CHALLENGES.c.due_at <= bindparam("now"),
    )
    # By turns: the first one of each account, then the second, ... so that no account keeps the others waiting.
    .order_by(
        func.row_number().over(partition_by=ACME_CHALLENGES.c.account_id, order_by=_BY_TIME),
        *_BY_TIME,
    )
    .limit(bindparam("limit"))
)


class SqlAcmeCredentials:
    """What external account bindings are made with."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, credential: AcmeCredential) -> None:
        await self._connection.run(_CREDENTIALS.add, _CREDENTIALS.row(credential))

    async def get(self, key_id: str, *, tenant: str = TENANT) -> AcmeCredential | None:
        row = await self._connection.one(_CREDENTIALS.get, {"tenant": tenant, "key_id": key_id})
        return _CREDENTIALS.record(row) if row else None

    async def list(self, *, tenant: str = TENANT) -> list[AcmeCredential]:
        return [_CREDENTIALS.record(row) for row in await self._connection.all(_LIST_CREDENTIALS, {"tenant": tenant})]

    async def revoke(self, key_id: str, *, at: int, tenant: str = TENANT) -> bool:
        row = {"of_tenant": tenant, "of_key_id": key_id, "at": at}
        return await self._connection.run(_REVOKE_CREDENTIAL, row) > 0


class SqlAcmeAccounts:
    """The accounts; a key has one at most."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, account: AcmeAccount) -> bool:
        return await self._connection.run(_ACCOUNTS.add, _ACCOUNTS.row(account)) > 0

    async def get(self, account_id: str, *, tenant: str = TENANT) -> AcmeAccount | None:
        row = await self._connection.one(_ACCOUNTS.get, {"tenant": tenant, "account_id": account_id})
        return _ACCOUNTS.record(row) if row else None

    async def by_thumbprint(self, thumbprint: str, *, tenant: str = TENANT) -> AcmeAccount | None:
        row = await self._connection.one(_ACCOUNT_BY_KEY, {"tenant": tenant, "thumbprint": thumbprint})
        return _ACCOUNTS.record(row) if row else None

    async def replace(self, account: AcmeAccount) -> bool:
        return await self._connection.run(_REPLACE_ACCOUNT, _ACCOUNTS.moved(account, state="valid")) > 0

    async def count(self, credential: str, *, tenant: str = TENANT) -> int:
        row = await self._connection.one(_COUNT_ACCOUNTS, {"tenant": tenant, "credential": credential})
        return int(row[0]) if row else 0


class SqlAcmeOrders:
    """The orders and what has to be proved for them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self, order: AcmeOrder, authorizations: Sequence[AcmeAuthorization], challenges: Sequence[AcmeChallenge]
    ) -> None:
        await self._connection.run(_ORDERS.add, _ORDERS.row(order))
        for authorization in authorizations:
            await self._connection.run(_AUTHORIZATIONS.add, _AUTHORIZATIONS.row(authorization))
        for challenge in challenges:
            await self._connection.run(_CHALLENGES.add, _CHALLENGES.row(challenge))

    async def get(self, order_id: str, *, tenant: str = TENANT) -> AcmeOrder | None:
        row = await self._connection.one(_ORDERS.get, {"tenant": tenant, "order_id": order_id})
        return _ORDERS.record(row) if row else None

    async def of_account(self, account_id: str, *, limit: int = 100, tenant: str = TENANT) -> list[AcmeOrder]:
        row = {"tenant": tenant, "account_id": account_id, "limit": limit}
        return [_ORDERS.record(found) for found in await self._connection.all(_ORDERS_OF_ACCOUNT, row)]

    async def open(self, account_id: str, *, now: int, tenant: str = TENANT) -> int:
        row = await self._connection.one(_OPEN_ORDERS, {"tenant": tenant, "account_id": account_id, "now": now})
        return int(row[0]) if row else 0

    async def replacing(self, certificate_id: str, *, tenant: str = TENANT) -> list[AcmeOrder]:
        rows = await self._connection.all(_REPLACING, {"tenant": tenant, "replaces": certificate_id})
        return [_ORDERS.record(row) for row in rows]

    async def move(self, order: AcmeOrder, *, was: str) -> bool:
        return await self._connection.run(_MOVE_ORDER, _ORDERS.moved(order, state=was)) > 0

    async def authorization(self, authorization_id: str, *, tenant: str = TENANT) -> AcmeAuthorization | None:
        named = {"tenant": tenant, "authorization_id": authorization_id}
        row = await self._connection.one(_AUTHORIZATIONS.get, named)
        return _AUTHORIZATIONS.record(row) if row else None

    async def authorizations(self, order_id: str, *, tenant: str = TENANT) -> list[AcmeAuthorization]:
        rows = await self._connection.all(_AUTHORIZATIONS_OF, {"tenant": tenant, "order_id": order_id})
        return sorted(map(_AUTHORIZATIONS.record, rows), key=lambda one: one.authorization_id)

    async def proved(self, account_id: str, *, now: int, tenant: str = TENANT) -> set[str]:
        row = {"tenant": tenant, "account_id": account_id, "now": now}
        return {str(found[0]) for found in await self._connection.all(_PROVED, row)}

    async def move_authorization(self, authorization: AcmeAuthorization, *, was: str) -> bool:
        return await self._connection.run(_MOVE_AUTHORIZATION, _AUTHORIZATIONS.moved(authorization, state=was)) > 0

    async def challenge(self, challenge_id: str, *, tenant: str = TENANT) -> AcmeChallenge | None:
        row = await self._connection.one(_CHALLENGES.get, {"tenant": tenant, "challenge_id": challenge_id})
        return _CHALLENGES.record(row) if row else None

    async def challenges(self, authorization_id: str, *, tenant: str = TENANT) -> list[AcmeChallenge]:
        rows = await self._connection.all(_CHALLENGES_OF, {"tenant": tenant, "authorization_id": authorization_id})
        return sorted(map(_CHALLENGES.record, rows), key=lambda one: one.kind)

    async def due(self, now: int, *, limit: int = 50, tenant: str = TENANT) -> list[AcmeChallenge]:
        rows = await self._connection.all(_DUE, {"tenant": tenant, "now": now, "limit": limit})
        return [_CHALLENGES.record(row) for row in rows]

    async def move_challenge(self, challenge: AcmeChallenge, *, was: str, attempts: int) -> bool:
        row = _CHALLENGES.moved(challenge, state=was, attempts=attempts)
        return await self._connection.run(_MOVE_CHALLENGE, row) > 0
