"""Real processes on one database: killed without warning, marking at once, changing what another one decides on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from ostiary.storage.base import Storage
from ostiary.storage.open import storage_for
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW, client

pytestmark = pytest.mark.anyio

WRITER = """
import asyncio, sys
from ostiary.storage.open import storage_for
from tests.contract.storage.examples import NOW, event, token

async def main(url, name):
    storage = storage_for(url)
    await storage.open()
    async def caller(number):
        while True:
            jti = f"{name}-{number:06}"
            async with storage.write() as work:
                first = await work.replay.mark("billing", jti, expires_at=NOW + 60, now=NOW)
                await work.tokens.add(token(jti))
                await work.audit.append(event(jti))
            assert first
            sys.stdout.write(jti + "\\n")
            sys.stdout.flush()
            number += 8
    await asyncio.gather(*(caller(number) for number in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""

MARKER = """
import asyncio, sys
from ostiary.storage.open import storage_for
from tests.contract.storage.examples import NOW

async def main(url):
    storage = storage_for(url)
    await storage.open()
    async def mark(number):
        async with storage.write() as work:
            return await work.replay.mark("billing", f"{number}", expires_at=NOW + 60, now=NOW)
    sys.stdin.readline()
    print(*[number for number in range(200) if (await mark(number))])

asyncio.run(main(*sys.argv[1:]))
"""

DISABLER = """
import asyncio, sys
from ostiary.storage.open import storage_for
from tests.contract.storage.examples import client

async def main(url):
    storage = storage_for(url)
    await storage.open()
    async with storage.write() as work:
        await work.clients.replace(client(state="disabled"))
    await storage.close()

asyncio.run(main(*sys.argv[1:]))
"""


def _start(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("processes", [1, 2])
async def test_what_was_answered_survives_kill_9_under_load(storage_url: str, processes: int) -> None:
    writers = [_start(WRITER, storage_url, f"w{number}") for number in range(processes)]
    answered: list[str] = []
    for writer in writers:
        assert writer.stdout is not None
        answered += [writer.stdout.readline().strip() for _ in range(100)]
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
    for writer in writers:
        assert writer.stdout is not None
        # Not by communicate(), which would pass over what readline() has read ahead; the last line may be cut off.
        with writer:
            answered += [line.strip() for line in writer.stdout if line.endswith("\n")]
    storage = storage_for(storage_url)
    await storage.open()
    async with storage.write() as work:
        kept = await work.tokens.of_client("billing", now=NOW, limit=100_000)
        assert set(answered) <= {row.jti for row in kept}
        for jti in answered:
            assert not await work.replay.mark("billing", jti, expires_at=NOW + 99, now=NOW)
        rows = await work.audit.unsealed(100_000)
        assert set(answered) <= {row.target for row in rows}
        assert sum(last for _, last in await work.audit.writers()) == len(rows)
    await storage.close()


async def test_of_two_processes_that_mark_the_same_ids_one_wins_each(storage_url: str) -> None:
    """standards 6: refuse repeats, whichever process they reach."""
    markers = [_start(MARKER, storage_url) for _ in range(2)]
    outputs = await asyncio.gather(*(asyncio.to_thread(marker.communicate, "go\n") for marker in markers))
    won = [int(number) for output, _ in outputs for number in output.split()]
    assert sorted(won) == list(range(200))


async def test_a_change_by_another_process_binds_the_next_request(storage: Storage, storage_url: str) -> None:
    """attack 33: disabled by the command line beside a running server."""
    async with storage.write() as work:
        await work.clients.add(client())
    before = await storage.positions()
    with _start(DISABLER, storage_url) as disabler:
        assert await asyncio.to_thread(disabler.wait, 30) == 0
    assert (await storage.positions()).registry == before.registry + 1
    async with storage.read() as work:
        assert await work.clients.get("billing") == client(state="disabled")


async def test_a_change_waits_for_decisions_on_the_old_registry_and_binds_those_after_it(
    storage: Storage, open_storage: OpenStorage
) -> None:
    """attack 33: a change is committed either before a decision looks, or after the decision is committed."""
    async with storage.write() as work:
        await work.clients.add(client())
    changed = asyncio.Event()

    async def disable(other: Storage) -> None:
        async with other.write() as work:
            await work.clients.replace(client(state="disabled"))
        changed.set()

    async with open_storage() as other:
        async with storage.write() as work:
            assert (await work.positions()).registry == 1
            changing = asyncio.create_task(disable(other))
            await asyncio.sleep(0.05)
            assert not changed.is_set()
        await changing
        assert (await storage.positions()).registry == 2
