"""A unit of work: what commits, what rolls back, and whom it concerns."""

from __future__ import annotations

import asyncio

import pytest

from ostiary.errors import ConfigurationError, OAuthError, OstiaryError, Unavailable, VerificationError
from ostiary.storage.base import Storage
from ostiary.storage.postgres import PostgresStorage
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW, artifact, client, event, token

pytestmark = pytest.mark.anyio


async def test_what_was_written_is_seen_by_another_process_as_soon_as_the_block_is_left(
    storage: Storage, open_storage: OpenStorage
) -> None:
    async with open_storage() as other:
        async with storage.write() as work:
            await work.tokens.add(token("0001"))
        async with other.read() as work:
            assert await work.tokens.by_jti("0001") == token("0001")


async def test_what_is_not_committed_is_seen_by_nobody(storage: Storage, open_storage: OpenStorage) -> None:
    async with open_storage() as other, storage.write() as work:
        await work.tokens.add(token("0001"))
        async with other.read() as reading:
            assert await reading.tokens.by_jti("0001") is None


async def test_a_restart_forgets_nothing(open_storage: OpenStorage) -> None:
    async with open_storage() as storage, storage.write() as work:
        assert await work.replay.mark("billing", "j1", expires_at=NOW + 60, now=NOW)
        await work.clients.add(client())
    async with open_storage() as storage:
        assert (await storage.positions()).registry == 1
        async with storage.write() as work:
            assert not await work.replay.mark("billing", "j1", expires_at=NOW + 60, now=NOW)


@pytest.mark.parametrize("refusal", [OAuthError("invalid_client", "no"), VerificationError("audience", "no")])
async def test_a_refusal_commits_its_marks_and_its_audit(storage: Storage, refusal: OstiaryError) -> None:
    with pytest.raises(type(refusal)) as raised:  # noqa: PT012 - the block is what is tested
        async with storage.write() as work:
            assert await work.replay.mark("billing", "j1", expires_at=NOW + 60, now=NOW)
            await work.audit.append(event("refused"))
            raise refusal
    assert raised.value is refusal
    async with storage.write() as work:
        assert not await work.replay.mark("billing", "j1", expires_at=NOW + 60, now=NOW)
        assert [row.target for row in await work.audit.unsealed(10)] == ["refused"]


@pytest.mark.parametrize("fault", [RuntimeError("bug"), Unavailable("keys"), ConfigurationError("no"), KeyError("x")])
async def test_a_fault_rolls_back_everything_of_its_caller(storage: Storage, fault: Exception) -> None:
    with pytest.raises(type(fault)):  # noqa: PT012 - the block is what is tested
        async with storage.write() as work:
            await work.replay.mark("billing", "j1", expires_at=NOW + 60, now=NOW)
            await work.clients.add(client())
            await work.audit.append(event("lost"))
            raise fault
    assert (await storage.positions()).registry == 0
    async with storage.write() as work:
        assert await work.clients.get("billing") is None
        assert await work.audit.unsealed(10) == []
        assert await work.replay.mark("billing", "j1", expires_at=NOW + 60, now=NOW)


async def test_a_fault_rolls_back_only_its_own_caller(storage: Storage) -> None:
    async def caller(number: int) -> None:
        async with storage.write() as work:
            await work.tokens.add(token(f"{number:04}"))
            await work.audit.append(event(f"{number}"))
            if number % 3 == 0:
                raise RuntimeError("bug")

    outcomes = await asyncio.gather(*(caller(number) for number in range(40)), return_exceptions=True)
    assert [isinstance(outcome, RuntimeError) for outcome in outcomes] == [number % 3 == 0 for number in range(40)]
    async with storage.read() as work:
        kept = await work.tokens.of_client("billing", now=NOW)
        assert [row.jti for row in kept] == [f"{number:04}" for number in range(40) if number % 3]
        assert len(await work.audit.unsealed(100)) == len(kept)


async def test_a_statement_that_fails_fails_one_caller(storage: Storage) -> None:
    async def caller(number: int) -> None:
        async with storage.write() as work:
            await work.tokens.add(token("same" if number % 2 else f"{number:04}"))

    outcomes = await asyncio.gather(*(caller(number) for number in range(20)), return_exceptions=True)
    assert sum(outcome is not None for outcome in outcomes) == 9
    async with storage.read() as work:
        assert len(await work.tokens.of_client("billing", now=NOW)) == 11


async def test_after_a_conflict_of_registrations_the_unit_of_work_goes_on(storage: Storage) -> None:
    with pytest.raises(OAuthError):  # noqa: PT012 - the block is what is tested
        async with storage.write() as work:
            await work.clients.add(client())
            with pytest.raises(ConfigurationError):
                await work.clients.add(client())
            await work.audit.append(event("refused"))
            raise OAuthError("invalid_request", "taken")
    async with storage.read() as work:
        assert await work.clients.get("billing") == client()
        assert [row.target for row in await work.audit.unsealed(10)] == ["refused"]


async def test_a_caller_that_is_cancelled_in_its_body_is_rolled_back_and_harms_nobody(storage: Storage) -> None:
    inside = asyncio.Event()

    async def cancelled() -> None:
        async with storage.write() as work:
            await work.tokens.add(token("0001"))
            await work.audit.append(event("lost"))
            inside.set()
            await asyncio.Event().wait()

    async def other() -> None:
        async with storage.write() as work:
            await work.tokens.add(token("0002"))
            await work.audit.append(event("kept"))

    victim = asyncio.create_task(cancelled())
    await inside.wait()
    neighbour = asyncio.create_task(other())
    await asyncio.sleep(0)
    victim.cancel()
    with pytest.raises(asyncio.CancelledError):
        await victim
    await neighbour
    async with storage.read() as work:
        assert [row.jti for row in await work.tokens.of_client("billing", now=NOW)] == ["0002"]
        assert [row.target for row in await work.audit.unsealed(9)] == ["kept"]


async def test_a_write_sees_what_it_wrote_itself(storage: Storage) -> None:
    async with storage.write() as work:
        await work.clients.add(client())
        assert await work.clients.get("billing") == client()
        assert (await work.positions()).registry == 1


async def test_a_reading_is_consistent(storage: Storage, open_storage: OpenStorage) -> None:
    async with open_storage() as other, other.read() as work:
        assert await work.tokens.by_jti("0001") is None
        async with storage.write() as writing:
            await writing.tokens.add(token("0001"))
            await writing.tokens.add(token("0002"))
        assert await work.tokens.by_jti("0002") is None


async def test_a_reading_cannot_write(storage: Storage) -> None:
    with pytest.raises(Unavailable):
        async with storage.read() as work:
            await work.tokens.add(token())
    async with storage.read() as work:
        assert await work.tokens.by_jti("0001-a") is None


@pytest.mark.parametrize("jti", ["", "'; DROP TABLE clients; --", "ü\N{SNOWMAN}", "%s :x %(x)s ?1"])
async def test_values_are_never_taken_for_sql(storage: Storage, jti: str) -> None:
    async with storage.write() as work:
        await work.tokens.add(token(jti))
    async with storage.read() as work:
        assert await work.tokens.by_jti(jti) == token(jti)


async def test_a_closed_storage_refuses(open_storage: OpenStorage) -> None:
    async with open_storage() as storage:
        pass
    with pytest.raises(Unavailable):
        async with storage.write():
            pass
    with pytest.raises(Unavailable):
        async with storage.read():
            pass
    with pytest.raises(Unavailable):
        await storage.positions()


async def test_settings_of_the_installation_are_kept(storage: Storage) -> None:
    async with storage.write() as work:
        assert await work.setting("colour") is None
        await work.set_setting("colour", "red")
        await work.set_setting("colour", "blue")
    async with storage.read() as work:
        assert await work.setting("colour") == "blue"
        assert len(await work.setting("installation_id") or "") == 6


async def test_an_artifact_is_consumed_by_one_of_50(storage: Storage, open_storage: OpenStorage) -> None:
    async with storage.write() as work:
        await work.artifacts.add(artifact())
    async with open_storage() as other:

        async def consume(where: Storage) -> bool:
            async with where.write() as work:
                return await work.artifacts.consume("bootstrap", b"d" * 32, now=NOW) is not None

        won = await asyncio.gather(*(consume(storage if number % 2 else other) for number in range(50)))
    assert won.count(True) == 1


async def test_an_artifact_is_given_back_as_it_was(storage: Storage) -> None:
    async with storage.write() as work:
        await work.artifacts.add(artifact())
        assert await work.artifacts.consume("bootstrap", b"d" * 32, now=NOW) == artifact()
        assert await work.artifacts.get("bootstrap", b"d" * 32) == artifact(consumed_at=NOW)


@pytest.mark.parametrize(
    ("kind", "digest", "now"),
    [("code", b"d" * 32, NOW), ("bootstrap", b"e" * 32, NOW), ("bootstrap", b"d" * 32, NOW + 60)],
    ids=["another kind", "another secret", "expired"],
)
async def test_nothing_else_consumes_an_artifact(storage: Storage, kind: str, digest: bytes, now: int) -> None:
    async with storage.write() as work:
        await work.artifacts.add(artifact())
        assert await work.artifacts.consume(kind, digest, now=now) is None


async def test_of_transactions_at_one_chore_each_but_the_first_is_told(
    storage: Storage, open_storage: OpenStorage
) -> None:
    """On SQLite the second one begins when the first has ended, so each is alone."""
    begun, told = asyncio.Event(), asyncio.Event()

    async def ask(one: Storage) -> bool:
        async with one.write() as work:
            alone = await work.alone("chore")
            begun.set()
            if isinstance(storage, PostgresStorage):
                await told.wait()
        return alone

    async with open_storage() as other:
        first = asyncio.ensure_future(ask(storage))
        await begun.wait()
        async with other.write() as work:
            assert await work.alone("chore") is not isinstance(storage, PostgresStorage)
            assert await work.alone("another chore")
        told.set()
        assert await first
        assert await ask(other)
