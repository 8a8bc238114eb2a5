"""Sessions and the browsers that users are known in: statements and repositories."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ostiary.model.known_browser import KnownBrowser
from ostiary.model.session import Session
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.schema import KNOWN_BROWSERS, SESSIONS
from ostiary.storage.statements import Statement, insertion, lookup

_COLUMNS = tuple(Session.__dataclass_fields__)
_SELECTED = [SESSIONS.c[name] for name in _COLUMNS]
_HERE = SESSIONS.c.tenant == bindparam("tenant")
_GET = lookup(SESSIONS, _COLUMNS, "tenant", "session_id")
_ADD = insertion(SESSIONS)
_OF_BROWSER = Statement(
    select(*_SELECTED)
    .where(_HERE, SESSIONS.c.digest == bindparam("digest"), SESSIONS.c.ended_at.is_(None))
    .order_by(SESSIONS.c.auth_time.desc(), SESSIONS.c.session_id)
)
_OF_USER = Statement(
    select(*_SELECTED)
    .where(_HERE, SESSIONS.c.user_id == bindparam("user_id"), SESSIONS.c.ended_at.is_(None))
    .order_by(SESSIONS.c.last_seen_at.desc(), SESSIONS.c.session_id)
)
_THIS = (
    SESSIONS.c.tenant == bindparam("of_tenant"),
    SESSIONS.c.session_id == bindparam("of_session_id"),
    SESSIONS.c.ended_at.is_(None),
)
_END = Statement(update(SESSIONS).where(*_THIS).values(ended_at=bindparam("at")))
_END_ALL = Statement(
    update(SESSIONS)
    .where(SESSIONS.c.tenant == bindparam("of_tenant"), SESSIONS.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"))
)
_TOUCH = Statement(
    update(SESSIONS).where(*_THIS).values(last_seen_at=bindparam("at"), idle_until=bindparam("idle_until"))
)
_PROVED = ("digest", "amr", "acr", "auth_time", "last_seen_at", "idle_until", "expires_at", "device", "address")
_RENEWED: dict[str, Any] = {name: bindparam(name) for name in _PROVED}
_RENEW = Statement(update(SESSIONS).where(*_THIS).values(_RENEWED))
_MOVE = Statement(
    update(SESSIONS)
    .where(
        SESSIONS.c.tenant == bindparam("of_tenant"),
        SESSIONS.c.digest == bindparam("of_digest"),
        SESSIONS.c.ended_at.is_(None),
    )
    .values(digest=bindparam("digest"))
)
_AMR = decoder(tuple[str, ...])

_BROWSER_COLUMNS = tuple(KnownBrowser.__dataclass_fields__)
_BROWSER = lookup(KNOWN_BROWSERS, _BROWSER_COLUMNS, "tenant", "user_id", "browser_digest")
_BROWSER_VALUES: dict[str, Any] = {name: bindparam(name) for name in _BROWSER_COLUMNS}
_BROWSER_KEY = [KNOWN_BROWSERS.c.tenant, KNOWN_BROWSERS.c.user_id, KNOWN_BROWSERS.c.browser_digest]
_SEEN: dict[str, Any] = {"last_seen_at": bindparam("last_seen_at"), "expires_at": bindparam("expires_at")}
_REMEMBER = Statement(
    sqlite_insert(KNOWN_BROWSERS)
    .values(_BROWSER_VALUES)
    .on_conflict_do_update(index_elements=_BROWSER_KEY, set_=_SEEN),
    postgresql=postgresql_insert(KNOWN_BROWSERS)
    .values(_BROWSER_VALUES)
    .on_conflict_do_update(index_elements=_BROWSER_KEY, set_=_SEEN),
)


def _from_row(row: Row) -> Session:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["amr"] = _AMR.decode(values["amr"])
    return Session(**values)


class SqlSessions:
    """Who is signed in where. The secrets of the browsers are never kept, only their digests."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, session_id: str, *, tenant: str = TENANT) -> Session | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "session_id": session_id})
        return _from_row(row) if row else None

    async def of_browser(self, digest: bytes, *, tenant: str = TENANT) -> list[Session]:
        """The sessions of one browser that were not ended, the latest sign-in first; some may have expired."""
        rows = await self._connection.all(_OF_BROWSER, {"tenant": tenant, "digest": digest})
        return [_from_row(row) for row in rows]

    async def of_user(self, user_id: str, *, tenant: str = TENANT) -> list[Session]:
        """The user's sessions that were not ended, the last used first; some may have expired."""
        rows = await self._connection.all(_OF_USER, {"tenant": tenant, "user_id": user_id})
        return [_from_row(row) for row in rows]

    async def add(self, session: Session) -> None:
        row = {name: getattr(session, name) for name in _COLUMNS} | {"amr": to_json(session.amr)}
        await self._connection.run(_ADD, row)

    async def end(self, session_id: str, at: int, *, tenant: str = TENANT) -> bool:
        """Whether it had not been ended until now."""
        row = {"of_tenant": tenant, "of_session_id": session_id, "at": at}
        return await self._connection.run(_END, row) > 0

    async def end_all(self, at: int, *, tenant: str = TENANT) -> int:
        """End every session of every user; how many stood until now."""
        return await self._connection.run(_END_ALL, {"of_tenant": tenant, "at": at})

    async def touch(self, session_id: str, *, at: int, idle_until: int, tenant: str = TENANT) -> None:
        row = {"of_tenant": tenant, "of_session_id": session_id, "at": at, "idle_until": idle_until}
        await self._connection.run(_TOUCH, row)

    async def renew(self, session: Session) -> bool:
        """Write how, when and until when it was proved anew, and its new secret; False if it was ended meanwhile."""
        row = {name: getattr(session, name) for name in _PROVED} | {"amr": to_json(session.amr)}
        row |= {"of_tenant": session.tenant, "of_session_id": session.session_id}
        return await self._connection.run(_RENEW, row) > 0

    async def move(self, digest: bytes, to: bytes, *, tenant: str = TENANT) -> None:
        """Give the sessions of a browser a new secret: the old one finds none of them any more."""
        await self._connection.run(_MOVE, {"of_tenant": tenant, "of_digest": digest, "digest": to})

    async def remember_browser(self, browser: KnownBrowser) -> None:
        """Note that its user signed in there; of one that is known only the last time and the end change."""
        await self._connection.run(_REMEMBER, {name: getattr(browser, name) for name in _BROWSER_COLUMNS})

    async def known_browser(self, user_id: str, digest: bytes, *, tenant: str = TENANT) -> KnownBrowser | None:
        row = await self._connection.one(_BROWSER, {"tenant": tenant, "user_id": user_id, "browser_digest": digest})
        return KnownBrowser(*row) if row else None
