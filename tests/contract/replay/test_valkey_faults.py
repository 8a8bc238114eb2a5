"""Valkey that forgets or fails, for real: proofs are refused, and admitted again after one window (standards 38)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import valkey

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.replay.buckets import CLOCK_SLACK
from ostiary.replay.redis import RedisReplayMemory
from tests.contract.replay.memories import valkey_memory
from tests.real_parts.valkey import ValkeyServer

NOW = 1_800_000_000.0
LIFE = 60.0
WINDOW = LIFE + CLOCK_SLACK

First = Callable[..., bool]


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


def _memory(server: ValkeyServer, *, longest_life: float = LIFE, timeout: float = 5.0) -> RedisReplayMemory:
    return RedisReplayMemory(server.url, name="https://orders.example", longest_life=longest_life, timeout=timeout)


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> First:
    def asked(memory: RedisReplayMemory, jti: str, *, now: float, life: float = LIFE) -> bool:
        if request.param == "sync":
            return memory.first_time_sync("billing", jti, expires_at=now + life, now=now)
        return asyncio.run(memory.first_time("billing", jti, expires_at=now + life, now=now))

    return asked


def _refused_until(ask: First, memory: RedisReplayMemory, until: float, *, since: float) -> None:
    """Refused from ``since`` to ``until`` and, though nothing is remembered, for what was used before, too."""
    steps = 4
    for step in range(steps + 1):
        with pytest.raises(Unavailable, match="may have forgotten"):
            ask(memory, "used", now=since + (until - since) * step / steps)


def _admitting(ask: First, memory: RedisReplayMemory, *, now: float = NOW) -> float:
    """Bring it past its first window, and use one proof; the time then."""
    _refused_until(ask, memory, now + WINDOW, since=now)
    after = now + WINDOW + 0.001
    assert ask(memory, "used", now=after)
    return after


def test_a_memory_that_was_never_used_refuses_for_one_window_on_every_node(server: ValkeyServer, ask: First) -> None:
    """Nobody can tell a new server from one that was flushed."""
    one, other = _memory(server), _memory(server)
    _refused_until(ask, one, NOW + WINDOW, since=NOW)
    _refused_until(ask, other, NOW + WINDOW, since=NOW + 1)
    assert ask(other, "used", now=NOW + WINDOW + 0.001)
    assert not ask(one, "used", now=NOW + WINDOW + 0.001)


def test_a_refusal_says_when_to_come_again(server: ValkeyServer, ask: First) -> None:
    with pytest.raises(Unavailable) as refused:
        ask(_memory(server), "j1", now=NOW)
    assert WINDOW <= refused.value.retry_after <= WINDOW + 1


def test_a_flushed_server_refuses_until_all_it_forgot_has_expired(server: ValkeyServer, ask: First) -> None:
    one, other = _memory(server), _memory(server)
    now = _admitting(ask, one)
    assert not ask(other, "used", now=now)
    with valkey.Valkey.from_url(server.url) as operator:
        operator.flushall()
    _refused_until(ask, other, now + WINDOW, since=now)
    _refused_until(ask, one, now + WINDOW, since=now)
    assert ask(one, "a new one", now=now + WINDOW + 0.001)
    assert not ask(other, "a new one", now=now + WINDOW + 0.001)


def test_a_restarted_server_refuses_until_all_it_forgot_has_expired(server: ValkeyServer, ask: First) -> None:
    memory = _memory(server)
    now = _admitting(ask, memory)
    server.crash()
    with pytest.raises(Unavailable):
        ask(memory, "used", now=now)
    server.start()
    _refused_until(ask, memory, now + WINDOW, since=now)
    assert ask(memory, "a new one", now=now + WINDOW + 0.001)


def test_a_server_that_comes_back_with_an_older_copy_of_its_memory_refuses_too(
    server: ValkeyServer, ask: First
) -> None:
    """The marker is there, but of another run: only that tells."""
    memory = _memory(server)
    now = _admitting(ask, memory)
    with valkey.Valkey.from_url(server.url) as operator:
        operator.save()
    assert ask(memory, "after the copy", now=now)
    server.crash()
    server.start()
    with valkey.Valkey.from_url(server.url) as operator:
        assert any(key.endswith(b"kept-by:%d" % (WINDOW * 1000)) for key in operator.scan_iter())
    with pytest.raises(Unavailable, match="may have forgotten"):
        ask(memory, "after the copy", now=now)
    _refused_until(ask, memory, now + WINDOW, since=now)


def test_a_replica_that_takes_over_refuses_until_all_it_never_got_has_expired(server: ValkeyServer, ask: First) -> None:
    now = _admitting(ask, _memory(server))
    with valkey.Valkey.from_url(server.url) as operator:
        operator.config_set("repl-diskless-sync-delay", 0)
    with ValkeyServer() as replica, valkey.Valkey.from_url(replica.url) as operator:
        operator.replicaof("127.0.0.1", str(server.port))
        while operator.info("replication")["master_link_status"] != "up" or not operator.dbsize():
            operator.ping()
        memory = _memory(replica)
        with pytest.raises(Unavailable, match="ReadOnlyError"):  # as long as it only follows
            ask(memory, "used", now=now)
        operator.replicaof("NO", "ONE")
        _refused_until(ask, memory, now + WINDOW, since=now)
        assert ask(memory, "a new one", now=now + WINDOW + 0.001)


def test_a_paused_server_refuses_in_time_and_then_still_knows_what_was_used(server: ValkeyServer, ask: First) -> None:
    memory = _memory(server, timeout=0.1)
    now = _admitting(ask, memory)
    server.process.send_signal(signal.SIGSTOP)
    with pytest.raises(Unavailable):
        ask(memory, "meanwhile", now=now)
    server.process.send_signal(signal.SIGCONT)
    patient = _memory(server)
    assert not ask(patient, "used", now=now)
    assert ask(patient, "a new one", now=now)


def test_a_server_that_never_ran_refuses(ask: First, unused_port: int) -> None:
    memory = RedisReplayMemory(f"valkey://127.0.0.1:{unused_port}/0", timeout=0.1)
    with pytest.raises(Unavailable, match="ConnectionError"):
        ask(memory, "j1", now=NOW)
    with pytest.raises(Unavailable):
        memory.check_sync()
    with pytest.raises(Unavailable):
        asyncio.run(memory.check())


def test_a_server_that_lets_nobody_in_refuses_and_no_password_is_told(server: ValkeyServer, ask: First) -> None:
    with valkey.Valkey.from_url(server.url) as operator:
        operator.config_set("requirepass", "the right one")
    url = server.url.replace("valkey://", "valkey://:s3cret-guess@")
    with pytest.raises(Unavailable) as refused:
        ask(RedisReplayMemory(url), "j1", now=NOW)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_forgets_when_it_is_full_is_not_used(server: ValkeyServer, ask: First, policy: str) -> None:
    with valkey.Valkey.from_url(server.url) as operator:
        operator.config_set("maxmemory-policy", policy)
        memory = _memory(server)
        with pytest.raises(ConfigurationError, match="maxmemory-policy noeviction"):
            memory.check_sync()
        with pytest.raises(ConfigurationError, match=policy):
            asyncio.run(memory.check())
        with pytest.raises(Unavailable, match="maxmemory-policy noeviction"):
            ask(memory, "j1", now=NOW)
        operator.config_set("maxmemory-policy", "noeviction")
        memory.check_sync()
        _admitting(ask, memory)


def test_a_policy_that_is_changed_under_a_running_api_is_found_within_a_minute(
    server: ValkeyServer, ask: First
) -> None:
    passed = [0.0]
    memory = RedisReplayMemory(server.url, longest_life=LIFE, elapsed=lambda: passed[0])
    now = _admitting(ask, memory)
    with valkey.Valkey.from_url(server.url) as operator:
        operator.config_set("maxmemory-policy", "allkeys-lru")
    passed[0] += 60.0
    with pytest.raises(Unavailable, match="noeviction"):
        ask(memory, "j2", now=now)


def test_a_full_server_refuses_and_forgets_nothing(server: ValkeyServer, ask: First) -> None:
    memory = _memory(server)
    now = _admitting(ask, memory)
    with valkey.Valkey.from_url(server.url) as operator:
        operator.config_set("maxmemory", "1mb")
        with pytest.raises(Unavailable, match="maxmemory"):
            ask(memory, "one too many", now=now)
        operator.config_set("maxmemory", "0")
    assert not ask(memory, "used", now=now)
    assert ask(memory, "one too many", now=now)


def test_every_mark_ends_soon_after_its_proof(server: ValkeyServer, ask: First) -> None:
    """The memory is bounded: by how many proofs there are in one life."""
    memory = _memory(server)
    now = _admitting(ask, memory)
    for life in (-5.0, 0.5, 30.0, LIFE):
        assert ask(memory, f"{life}", now=now, life=life)
    with valkey.Valkey.from_url(server.url) as operator:
        kept = [operator.pttl(key) for key in operator.scan_iter() if b"kept-by" not in key]
    assert len(kept) == 5
    assert all(0 < left <= WINDOW * 1000 for left in kept)


def test_a_proof_that_lives_longer_than_the_window_is_not_taken(server: ValkeyServer, ask: First) -> None:
    with pytest.raises(ValueError, match="longest_life"):
        ask(_memory(server), "j1", now=NOW, life=LIFE + 0.001)


def test_two_apis_and_two_windows_have_markers_of_their_own(server: ValkeyServer, ask: First) -> None:
    """Who lets proofs live longer waits longer, whoever found the loss first."""
    now = _admitting(ask, _memory(server))
    longer = _memory(server, longest_life=10 * LIFE)
    with pytest.raises(Unavailable, match="may have forgotten"):
        ask(longer, "j1", now=now)
    with pytest.raises(Unavailable, match="may have forgotten"):
        ask(RedisReplayMemory(server.url, name="another", longest_life=LIFE), "j1", now=now)


def test_what_is_asked_in_one_turn_shares_a_round_trip(server: ValkeyServer) -> None:
    memory = _memory(server)

    async def main() -> list[bool]:
        with pytest.raises(Unavailable):
            await memory.first_time("billing", "j", expires_at=NOW, now=NOW)
        now = NOW + WINDOW + 1
        asked = (memory.first_time("billing", f"{number % 100}", expires_at=now, now=now) for number in range(200))
        answers = await asyncio.gather(*asked)
        await memory.aclose()
        return answers

    assert asyncio.run(main()).count(True) == 100
    with valkey.Valkey.from_url(server.url) as operator:
        assert operator.info("commandstats")["cmdstat_evalsha"]["calls"] == 2


def test_an_answer_in_another_form_refuses(server: ValkeyServer, ask: First) -> None:
    """As when something else stands where the marker should."""
    memory = _memory(server)
    now = _admitting(ask, memory)
    with valkey.Valkey.from_url(server.url) as operator:
        [marker] = [key for key in operator.scan_iter() if b"kept-by" in key]
        operator.set(marker, "not ours")
        _refused_until(ask, memory, now + WINDOW, since=now)
        operator.delete(marker)
        operator.lpush(marker, "not even text")
    with pytest.raises(Unavailable, match="WRONGTYPE"):
        ask(memory, "j1", now=now + WINDOW + 1)


@pytest.mark.parametrize("off", [-90.0, 90.0, 300.0, -86_400.0])
def test_a_node_whose_clock_is_not_that_of_valkey_is_refused_and_does_not_begin_a_window(
    server: ValkeyServer, ask: First, off: float
) -> None:
    """After a flush it would end the window too early for all, or never."""
    wrong = RedisReplayMemory(server.url, longest_life=LIFE, clock=lambda: time.time() + off)
    right = RedisReplayMemory(server.url, longest_life=LIFE)
    with pytest.raises(Unavailable, match="CLOCK of this node differs from that of Valkey"):
        ask(wrong, "used", now=NOW + off)
    now = _admitting(ask, right)
    with pytest.raises(Unavailable, match="CLOCK"):
        ask(wrong, "used", now=now + off)


@pytest.mark.parametrize("off", [-40.0, 40.0])
def test_a_clock_that_is_a_little_off_is_borne(server: ValkeyServer, ask: First, off: float) -> None:
    a_little = RedisReplayMemory(server.url, longest_life=LIFE, clock=lambda: time.time() + off)
    now = _admitting(ask, a_little, now=NOW + off)
    assert not ask(RedisReplayMemory(server.url, longest_life=LIFE), "used", now=now + 2)


def test_of_three_processes_that_ask_at_once_one_wins_each_id(server: ValkeyServer) -> None:
    valkey_memory(server.url, now=NOW, longest_life=LIFE, name="processes")
    command = [sys.executable, "-c", ASK, server.url]
    askers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write("go\n")
        asker.stdin.flush()
    won = [int(line) for asker in askers for line in asker.communicate()[0].split()]
    assert sorted(won) == list(range(100))


ASK = """
import sys
from ostiary.replay.redis import RedisReplayMemory
memory = RedisReplayMemory(sys.argv[1], name="processes", longest_life=60)
sys.stdin.readline()
for number in range(100):
    if memory.first_time_sync("billing", str(number), expires_at=1_800_000_060.0, now=1_800_000_000.0):
        # In one write, for processes that share a pipe.
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def test_a_server_that_forks_after_it_has_asked_has_one_memory_in_every_process(server: ValkeyServer) -> None:
    """As gunicorn does with ``preload``: a connection must not be shared with a child."""
    valkey_memory(server.url, now=NOW, longest_life=LIFE, name="processes")
    program = ASK.replace("sys.stdin.readline()", "import os; memory.check_sync(); pid = os.fork() or os.fork()")
    answered = subprocess.run([sys.executable, "-c", program, server.url], capture_output=True, text=True, check=True)
    assert sorted(map(int, answered.stdout.split())) == list(range(100))


@pytest.mark.parametrize("url", ["http://127.0.0.1/0", "127.0.0.1:6379", "", "valkey"])
def test_an_address_that_is_none_says_what_one_looks_like(url: str) -> None:
    with pytest.raises(ConfigurationError, match="valkey://"):
        RedisReplayMemory(url)


@pytest.mark.parametrize("life", [0.0, -1.0, 86_400.1, float("nan")])
def test_a_longest_life_that_is_none_is_said(life: float) -> None:
    with pytest.raises(ConfigurationError, match="longest_life"):
        RedisReplayMemory("valkey://127.0.0.1/0", longest_life=life)
