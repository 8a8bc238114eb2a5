"""A replay memory that is flooded: forgeries never reach it, and what fills it makes it refuse, never forget (30)."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import valkey

from ostiary.protocol.jwk import SigningKey
from ostiary.replay.memory import ProcessReplayMemory
from ostiary.replay.sqlite import SqliteReplayMemory
from ostiary.resource_server import Refused, ResourceServer
from ostiary.trace_sinks import MemorySink
from tests.authorization_server.world import NOW as SERVER_NOW
from tests.authorization_server.world import World as ServerWorld
from tests.authorization_server.world import shop_world
from tests.contract.replay.memories import valkey_memory
from tests.real_parts.valkey import ValkeyServer
from tests.resource_server.issuer_server import running_issuer
from tests.resource_server.test_client_requests import direct
from tests.resource_server.world import Clock, World, failed_check

LIFE = 81.0
FORGED = (
    {"htu": "https://elsewhere.example.com/orders"},
    {"htm": "POST"},
    {"aud": "https://elsewhere.example.com"},
    {"exp": 1},
    {"iat": None},
    {"sub": "somebody-else"},
    {"typ": "JWT"},
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world of an API."""
    with running_issuer() as issuer:
        yield World(issuer, Clock(), MemorySink(), tmp_path)


@pytest.fixture
def server_world(tmp_path: Path) -> Iterator[ServerWorld]:
    """The usual world of the authorization server."""
    with shop_world(tmp_path) as built:
        yield built


def test_forged_client_jwts_never_reach_the_memory_of_an_api(world: World) -> None:
    """Of a memory that has room for one mark nothing is taken by a thousand forgeries."""
    guard = world.guard(direct=True, replay=ProcessReplayMemory(capacity=1))
    key, stranger = world.client_key(), SigningKey.generate("ES256")
    for number in range(100):
        for fault in FORGED:
            world.refusal(guard, direct(world.direct(key, jti=f"{number}", **fault)))
        world.refusal(guard, direct(world.direct(stranger, jti=f"{number}")))
        token = world.direct(key, jti=f"{number}")
        world.refusal(guard, direct(token[:-2] + ("AA" if token[-2:] != "AA" else "BA")))
        world.refusal(guard, direct(token), "orders:destroy")
    honest = direct(world.direct(key, jti="honest"))
    assert guard.check_sync(honest)
    assert failed_check(world.refusal(guard, honest)[1]) == "replay"
    assert world.refusal(guard, direct(world.direct(key, jti="one too many")))[0].status == 503


def test_a_client_that_fills_the_valkey_of_an_api_makes_it_refuse_and_its_own_replays_stay_refused(
    world: World,
) -> None:
    key = world.client_key()
    with ValkeyServer() as server, valkey.Valkey.from_url(server.url) as operator:
        guard = world.guard(direct=True, replay=valkey_memory(server.url, now=world.clock.now, longest_life=LIFE))
        used = direct(world.direct(key, jti="used"))
        assert guard.check_sync(used)
        used_memory = operator.info("memory")["used_memory"]
        operator.config_set("maxmemory", used_memory + 100_000)
        refused = _first_refusal(world, guard, key)
        assert (refused.status, "maxmemory" in str(refused.__cause__)) == (503, True)
        assert world.refusal(guard, used)[0].status in (401, 503)
        operator.config_set("maxmemory", 0)
        assert failed_check(world.refusal(guard, used)[1]) == "replay"
        assert operator.info("stats")["evicted_keys"] == 0


def _first_refusal(world: World, guard: ResourceServer, key: SigningKey) -> Refused:
    """What ever new client JWTs, all of them good, are told in the end."""
    for number in itertools.count():
        try:
            guard.check_sync(direct(world.direct(key, jti=f"{number:0100}")))
        except Refused as refused:
            return refused
    raise AssertionError("unreachable")


FLOOD = """
import resource, sys
from ostiary.errors import Unavailable
from ostiary.replay.sqlite import SqliteReplayMemory

resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
memory = SqliteReplayMemory(sys.argv[1])
try:
    for number in range(1_000_000):
        if memory.first_time_sync("billing", str(number), expires_at=1_800_000_060.0, now=1_800_000_000.0):
            print(number, flush=True)
except Unavailable as error:
    print("refused:", error)
"""


def test_a_disk_that_is_full_makes_the_memory_of_a_host_refuse_and_forget_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FLOOD, str(tmp_path / "replay.db")]
    *admitted, end = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120
    ).stdout.splitlines()
    assert end.startswith("refused: replay memory is unavailable")
    assert len(admitted) > 10
    memory = SqliteReplayMemory(tmp_path / "replay.db")
    again = [
        number
        for number in admitted
        if memory.first_time_sync("billing", number, expires_at=1_800_000_060.0, now=1_800_000_000.0)
    ]
    assert again == []


def _marks(world: ServerWorld) -> int:
    with sqlite3.connect(world.folder / "ostiary.db") as connection:
        (count,) = connection.execute("SELECT count(*) FROM replay_marks").fetchone()
    return int(count)


def test_forged_assertions_leave_no_mark_at_the_token_endpoint(server_world: ServerWorld) -> None:
    world, stranger = server_world, SigningKey.generate("ES256")
    before = _marks(world)
    for number in range(20):
        for assertion in (
            world.assertion(jti=f"a{number}", key=stranger),
            world.assertion(jti=f"b{number}", aud="https://elsewhere.example.com"),
            world.assertion(jti=f"c{number}", exp=int(SERVER_NOW) - 600),
            world.assertion(jti=f"d{number}", exp=int(SERVER_NOW) + 90_000),
            world.assertion(jti=f"e{number}", sub="other"),
            world.assertion(jti=f"f{number}")[:-4] + "AAAA",
        ):
            assert world.token(assertion=assertion).status == 401
    assert _marks(world) == before


def test_a_flood_of_good_assertions_moves_no_used_one_out_and_is_gone_when_they_have_expired(
    server_world: ServerWorld,
) -> None:
    """Bounded by the life of an assertion: its mark is a row that ends with it, and what has ended is deleted."""
    world = server_world
    used = world.assertion(jti="used")
    assert world.token(assertion=used).status == 200

    async def flood() -> None:
        async with world.storage.write() as work:
            for number in range(20_000):
                until = int(SERVER_NOW) + 60
                await work.replay.mark("other", f"{number}", expires_at=until, now=int(SERVER_NOW))

    world.run(flood())
    assert world.token(assertion=used).status == 401
    assert _marks(world) == 20_001

    async def expire() -> None:
        while await world.storage.expire(int(SERVER_NOW) + 1000):
            pass

    world.run(expire())
    assert _marks(world) == 0


def test_a_flood_from_many_tasks_at_once_is_bounded_by_what_the_memory_holds() -> None:
    memory = ProcessReplayMemory(capacity=100)

    async def ask(number: int) -> bool | Exception:
        return await memory.first_time("billing", f"{number}", expires_at=60.0, now=0.0)

    async def flood() -> list[bool | BaseException | Exception]:
        return list(await asyncio.gather(*map(ask, range(1000)), return_exceptions=True))

    assert asyncio.run(flood()).count(True) == 100
    assert len(memory._seen) == len(memory._ends) == 100
