"""Brief units of work: they may share a transaction, and none of them notices but by ``Contended``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ostiary.errors import OAuthError, Unavailable
from ostiary.storage.base import Contended, Storage, UnitOfWork
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW, event, revocation, token

pytestmark = pytest.mark.anyio
Body = Callable[[UnitOfWork], Awaitable[None]]


async def _written(storage: Storage, body: Body, *, brief: bool = True) -> None:
    """As a request does it: with others, and alone if that was undone."""
    try:
        async with storage.write(brief=brief) as work:
            await body(work)
    except Contended:
        async with storage.write() as work:
            await body(work)


def _issue(number: int, fault: Exception | None = None, *, jti: str = "") -> Body:
    async def body(work: UnitOfWork) -> None:
        await work.positions()
        assert await work.replay.mark("billing", f"{number}", expires_at=NOW + 60, now=NOW)
        await work.tokens.add(token(jti or f"{number:04}"))
        await work.audit.append(event(f"{number}"))
        if fault is not None:
            raise fault

    return body


async def _kept(storage: Storage) -> list[str]:
    """The tokens, after a look at whether the audit log has no gap."""
    async with storage.read() as work:
        rows = await work.audit.unsealed(1000)
        assert sum(last for _, last in await work.audit.writers()) == len(rows)
        tokens = [row.jti for row in await work.tokens.of_client("billing", now=NOW, limit=1000)]
        assert len(tokens) == len(rows)
    return tokens


async def test_what_they_wrote_is_seen_by_another_process_as_soon_as_the_block_is_left(
    storage: Storage, open_storage: OpenStorage
) -> None:
    async with open_storage() as other:

        async def issue(number: int) -> None:
            await _written(storage, _issue(number))
            async with other.read() as work:
                assert await work.tokens.by_jti(f"{number:04}") is not None

        await asyncio.gather(*(issue(number) for number in range(30)))


@pytest.mark.parametrize("fault", [RuntimeError("bug"), Unavailable("keys"), KeyError("x")])
async def test_a_fault_of_one_is_told_to_it_and_leaves_the_others_right(storage: Storage, fault: Exception) -> None:
    bodies = [_issue(number, None if number % 7 else fault) for number in range(40)]
    outcomes = await asyncio.gather(*(_written(storage, body) for body in bodies), return_exceptions=True)
    assert [outcome is fault for outcome in outcomes] == [number % 7 == 0 for number in range(40)]
    assert [outcome for outcome in outcomes if outcome is not fault and outcome is not None] == []
    assert await _kept(storage) == [f"{number:04}" for number in range(40) if number % 7]


async def test_a_statement_that_fails_fails_one_caller(storage: Storage) -> None:
    bodies = [_issue(number, jti="same" if number % 2 else "") for number in range(20)]
    outcomes = await asyncio.gather(*(_written(storage, body) for body in bodies), return_exceptions=True)
    assert sum(outcome is not None for outcome in outcomes) == 9
    assert len(await _kept(storage)) == 11


async def test_a_refusal_commits_its_marks_and_its_audit_with_the_others(storage: Storage) -> None:
    refusal = OAuthError("invalid_client", "no")
    bodies = [_issue(number, None if number % 5 else refusal) for number in range(20)]
    outcomes = await asyncio.gather(*(_written(storage, body) for body in bodies), return_exceptions=True)
    assert [outcome is refusal for outcome in outcomes] == [number % 5 == 0 for number in range(20)]
    assert len(await _kept(storage)) == 20
    async with storage.write() as work:
        assert not await work.replay.mark("billing", "0", expires_at=NOW + 60, now=NOW)


async def test_revocations_of_one_moment_have_each_its_row_and_its_position(storage: Storage) -> None:
    told: list[int] = []
    storage.after_revocation = lambda: told.append(1)

    async def revoke(number: int) -> None:
        async def body(work: UnitOfWork) -> None:
            assert await work.revocations.ends(token(f"{number}")) is None
            await work.revocations.append(revocation("jti", f"{number}"))
            await work.audit.append(event(f"{number}"))
            if number % 7 == 0:
                raise RuntimeError("bug")

        await _written(storage, body)

    outcomes = await asyncio.gather(*(revoke(number) for number in range(40)), return_exceptions=True)
    assert [isinstance(outcome, RuntimeError) for outcome in outcomes] == [number % 7 == 0 for number in range(40)]
    async with storage.read() as work:
        rows = await work.revocations.since(0)
    assert sorted(int(row.value) for row in rows) == [number for number in range(40) if number % 7]
    assert [row.position for row in rows] == [*range(1, len(rows) + 1)]
    assert (await storage.positions()).revocation == len(rows)
    assert told


async def test_a_jti_has_one_winner_among_callers_of_one_moment_in_two_processes(
    storage: Storage, open_storage: OpenStorage
) -> None:
    won: list[str] = []
    async with open_storage() as other:

        async def mark(where: Storage, jti: str) -> None:
            first = False

            async def body(work: UnitOfWork) -> None:
                nonlocal first
                first = await work.replay.mark("billing", jti, expires_at=NOW + 60, now=NOW)

            await _written(where, body)
            if first:
                won.append(jti)

        # In opposite orders, so that each may hold what the other wants.
        names = [f"{number}" for number in range(5)]
        both = [(storage, jti) for jti in names] + [(other, jti) for jti in reversed(names)]
        await asyncio.gather(*(mark(where, jti) for where, jti in both * 4))
    assert sorted(won) == names


@pytest.mark.parametrize("brief", [True, False], ids=["brief", "others"])
@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_caller_harms_nobody_whenever_it_is_cancelled(
    storage: Storage, turns: int, brief: bool
) -> None:
    tasks = [asyncio.create_task(_written(storage, _issue(number), brief=brief)) for number in range(6)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for victim in (tasks[0], tasks[3]):
        victim.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    await _written(storage, _issue(9))
    assert {"0001", "0002", "0004", "0005", "0009"} <= set(await _kept(storage))


async def test_a_closed_storage_refuses_them(open_storage: OpenStorage) -> None:
    async with open_storage() as storage:
        pass
    with pytest.raises(Unavailable):
        async with storage.write(brief=True):
            pass
