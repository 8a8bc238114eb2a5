"""PostgreSQL undoes a request's transaction to end a deadlock: the request is decided and written again, as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from ostiary.authorization_server.exchange import MAX_ATTEMPTS
from ostiary.protocol import jws, next_key
from ostiary.replay.buckets import digest_of
from ostiary.storage.base import Contended, UnitOfWork
from ostiary.storage.postgres import PostgresStorage
from tests.authorization_server.world import ISSUER, NOW, Answer, World, shop_world, signing_key

_MARK = "INSERT INTO replay_marks (bucket, tenant, digest) VALUES (1900000000, 'default', %s)"
_RAISE = "UPDATE counters SET value = value + 1 WHERE name = 'registry'"
_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_WAITING = f"{_CONNECTED} AND wait_event_type = 'Lock'"
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class Opposed:
    """A storage whose first ``times`` units of work meet a neighbour that takes the same two rows the other way round.

    The request holds the registry's position and wants to mark its jti; the neighbour has marked that jti and wants to
    raise the position. commit: whether the neighbour's mark stands afterwards. deadlocks: how many there were.
    """

    def __init__(self, world: World, url: str, jti: str, *, times: int, commit: bool) -> None:
        self._storage, self._url, self._digest = world.storage, url, digest_of("shop", jti)
        self._times, self._commit = times, commit
        self.deadlocks = 0
        self.brief: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    @asynccontextmanager
    async def write(self, *, brief: bool = False) -> AsyncIterator[UnitOfWork]:
        self.brief.append(brief)
        if not self._times:
            async with self._storage.write(brief=brief) as work:
                yield work
            return
        self._times -= 1
        async with await psycopg.AsyncConnection.connect(self._url) as neighbour:
            # Of the two the request is the one that looks for deadlocks, and who finds one is undone.
            await neighbour.execute("SET deadlock_timeout = '10min'")
            await neighbour.execute(_MARK, [self._digest])
            try:
                async with self._storage.write(brief=brief) as work:
                    await work.positions()
                    raised = asyncio.ensure_future(neighbour.execute(_RAISE))
                    await self._until_it_waits()
                    yield work
            except Contended:
                self.deadlocks += 1
                raise
            finally:
                await raised
                await (neighbour.commit() if self._commit else neighbour.rollback())

    async def _until_it_waits(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as watcher:
            while (await (await watcher.execute(_WAITING)).fetchone()) == (0,):
                pass


@pytest.fixture
def on_postgres(migrated_postgres_url: str, tmp_path: Path) -> Iterator[World]:
    """The usual world on PostgreSQL, which looks for deadlocks soon."""
    storage = PostgresStorage(f"{migrated_postgres_url}?options=-c%20deadlock_timeout%3D20ms")
    with shop_world(tmp_path, storage=storage) as world:
        yield world


def opposed(world: World, url: str, form: dict[str, str], *, times: int = 1, commit: bool = False) -> Opposed:
    jti = str(jws.parse(form["client_assertion"]).claims()["jti"])
    made = Opposed(world, url, jti, times=times, commit=commit)
    storage: Any = made
    world.server.storage = storage
    return made


def written(world: World) -> list[str]:
    return [row.tag for row in world.audit() if row.tag.startswith("token:")]


def test_a_request_that_was_undone_is_decided_again_and_answered(
    on_postgres: World, migrated_postgres_url: str
) -> None:
    form = on_postgres.token_form()
    neighbour = opposed(on_postgres, migrated_postgres_url, form)
    answer = on_postgres.post("/token", form)
    assert (answer.status, neighbour.deadlocks) == (200, 1)
    assert neighbour.brief == [True, False]  # with others, and when that was undone alone
    assert on_postgres.introspect(answer.json["access_token"]).json["active"]
    assert written(on_postgres) == ["token:issued", "token:introspected"]


def test_requests_that_were_undone_by_the_fault_of_another_are_answered(on_postgres: World) -> None:
    """They stood in one transaction with it."""
    undone: list[str] = []

    async def at_fault() -> None:
        try:
            async with on_postgres.storage.write(brief=True) as work:
                await work.positions()
                raise LookupError("a bug of another request")
        except LookupError as error:
            undone.append(str(error))

    async def all_at_once() -> list[Answer]:
        bodies = [urlencode(on_postgres.token_form()).encode() for _ in range(8)]
        requests = [on_postgres.call("POST", "/token", body, dict(_FORM)) for body in bodies]
        answers, _ = await asyncio.gather(asyncio.gather(*requests), asyncio.gather(*(at_fault() for _ in range(3))))
        return list(answers)

    assert [answer.status for answer in on_postgres.run(all_at_once())] == [200] * 8
    assert len(undone) == 3
    assert written(on_postgres) == ["token:issued"] * 8


def test_what_the_other_one_wrote_binds_the_second_try(on_postgres: World, migrated_postgres_url: str) -> None:
    """attack 33: the neighbour used the assertion up, so the request that was undone gets nothing."""
    form = on_postgres.token_form()
    neighbour = opposed(on_postgres, migrated_postgres_url, form, commit=True)
    answer = on_postgres.post("/token", form)
    assert (answer.status, neighbour.deadlocks) == (401, 1)
    assert on_postgres.trace(answer).checks[-1].name == "jti"
    assert written(on_postgres) == ["token:refused"]


def test_a_request_that_is_undone_ever_again_is_refused(on_postgres: World, migrated_postgres_url: str) -> None:
    form = on_postgres.token_form()
    neighbour = opposed(on_postgres, migrated_postgres_url, form, times=MAX_ATTEMPTS)
    answer = on_postgres.post("/token", form)
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert neighbour.deadlocks == MAX_ATTEMPTS
    assert written(on_postgres) == []
    assert on_postgres.post("/token", form).status == 200


def test_clients_that_register_their_next_keys_at_once_never_meet_in_a_deadlock(
    on_postgres: World, migrated_postgres_url: str
) -> None:
    """Each of them holds the registry when it decides and raises it when it writes."""
    names = [f"grower{number}" for number in range(MAX_ATTEMPTS)]
    for name in names:
        on_postgres.add_client(name, may_register_keys=True)

    async def all_at_once() -> list[Answer]:
        return await asyncio.gather(*(_register(on_postgres, name) for name in names))

    assert [answer.status for answer in on_postgres.run(all_at_once())] == [201] * len(names)
    on_postgres.run(on_postgres.storage.close())  # a connection tells what it counted when it ends, at the latest
    with psycopg.connect(migrated_postgres_url, autocommit=True) as watcher:
        while watcher.execute(_CONNECTED).fetchone() != (0,):
            pass
        counted = watcher.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert counted.fetchone() == (0,)


async def _register(world: World, name: str) -> Answer:
    present, new = signing_key(f"{name}-1"), signing_key(f"{name}-2")
    proof = jws.sign(next_key.build(name, ISSUER, new, now=NOW, jti=f"next-{name}"), present, typ=next_key.TYP)
    body = urlencode(world.form(name, next_key=proof)).encode()
    return await world.call("POST", "/client-keys/next", body, dict(_FORM))
