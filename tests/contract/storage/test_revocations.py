"""The revocation log: positions follow the order of commits, and a row ends what was issued below it (attack 33)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ostiary.errors import ConfigurationError
from ostiary.model.revocation import EPOCH, epoch_at
from ostiary.storage.base import Storage
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW, revocation, token

pytestmark = pytest.mark.anyio

BEGIN = epoch_at(NOW) * EPOCH
NAMED = [
    ("client", "billing"),
    ("sub", "billing"),
    ("grant", "g1"),
    ("client_key", "thumb-1"),
    ("signing_key", "signer-1"),
]


async def _revoke(storage: Storage, kind: Any, value: str) -> int:
    async with storage.write() as work:
        await work.revocations.append(revocation(kind, value))
    return (await storage.positions()).revocation


@pytest.mark.parametrize(("kind", "value"), NAMED)
async def test_a_row_ends_every_token_below_its_position_and_none_at_or_above(
    storage: Storage, kind: str, value: str
) -> None:
    """attack 33: a revoked token is refused; one that was issued afterwards is not."""
    await _revoke(storage, "jti", "something-else")
    position = await _revoke(storage, kind, value)
    async with storage.read() as work:
        ended = await work.revocations.ends(token(rev=position - 1))
        assert ended == revocation(kind, value, position=position)
        assert await work.revocations.ends(token(rev=0)) == ended
        assert await work.revocations.ends(token(rev=position)) is None
        assert await work.revocations.ends(token(rev=position + 1)) is None


async def test_a_certificate_that_is_revoked_ends_the_tokens_that_are_bound_to_it(storage: Storage) -> None:
    bound = token(certificate_thumbprint="x5t")
    position = await _revoke(storage, "client_key", "x5t")
    async with storage.read() as work:
        assert await work.revocations.ends(bound) == revocation("client_key", "x5t", position=position)
        assert await work.revocations.ends(token(certificate_thumbprint="another")) is None


async def test_a_jti_ends_its_token_wherever_the_token_stands(storage: Storage) -> None:
    position = await _revoke(storage, "jti", "0001-a")
    async with storage.read() as work:
        assert await work.revocations.ends(token(rev=position + 5)) == revocation("jti", "0001-a", position=position)
        assert await work.revocations.ends(token("0002-b")) is None


@pytest.mark.parametrize(("kind", "value"), [*NAMED, ("jti", "0001-a")])
async def test_the_value_counts_only_under_its_own_kind(storage: Storage, kind: str, value: str) -> None:
    others = {name for name, _ in NAMED} | {"jti", "sid"}
    for other in sorted(others - {kind} - ({"client", "sub"} if value == "billing" else set())):
        await _revoke(storage, other, value)
    async with storage.read() as work:
        assert await work.revocations.ends(token()) is None


async def test_a_token_falls_with_the_parents_of_its_key(storage: Storage) -> None:
    await _revoke(storage, "client_key", "grandparent")
    async with storage.read() as work:
        assert await work.revocations.ends(token()) is None
        assert await work.revocations.ends(token(), key_thumbprints=("parent",)) is None
        assert await work.revocations.ends(token(), key_thumbprints=("parent", "grandparent")) is not None
        assert await work.revocations.ends(token(rev=1), key_thumbprints=("parent", "grandparent")) is None


async def test_a_reference_token_without_a_signing_key_is_ended_alike(storage: Storage) -> None:
    reference = token(format="reference", digest=b"d" * 32, signing_kid=None)
    await _revoke(storage, "signing_key", "signer-1")
    async with storage.read() as work:
        assert await work.revocations.ends(reference) is None
    await _revoke(storage, "client", "billing")
    async with storage.read() as work:
        assert await work.revocations.ends(reference) is not None


async def test_the_unit_of_work_that_revokes_sees_it(storage: Storage) -> None:
    async with storage.write() as work:
        await work.revocations.append(revocation())
        assert await work.revocations.ends(token()) == revocation(position=1)
        assert (await work.positions()).revocation == 1


async def test_rows_of_one_act_get_positions_in_their_order(storage: Storage) -> None:
    async with storage.write() as work:
        for value in ("a", "b", "c"):
            await work.revocations.append(revocation("jti", value))
    async with storage.read() as work:
        assert [(row.position, row.value) for row in await work.revocations.since(0)] == [(1, "a"), (2, "b"), (3, "c")]
        assert [row.value for row in await work.revocations.since(1, limit=1)] == ["b"]
        assert await work.revocations.since(3) == []


async def test_an_act_learns_the_position_of_its_last_row_and_of_no_other_acts(storage: Storage) -> None:
    async def act(*values: str) -> int:
        async with storage.write() as work:
            for value in values:
                await work.revocations.append(revocation("jti", value))
            return await work.revocations.position()

    assert sorted(await asyncio.gather(act("a", "b"), act(), act("c"), act())) in ([0, 0, 1, 3], [0, 0, 2, 3])
    assert [await act(), await act("d"), await act()] == [0, 4, 0]


async def test_a_rolled_back_row_takes_no_position(storage: Storage) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is what is tested
        async with storage.write() as work:
            await work.revocations.append(revocation())
            await work.revocations.since(0)
            raise RuntimeError
    assert await _revoke(storage, "jti", "a") == 1


async def test_a_reader_that_follows_the_log_under_load_misses_no_row(
    storage: Storage, open_storage: OpenStorage
) -> None:
    """Positions follow the order of commits: whoever has read up to a position never finds a lower one later."""
    seen: list[int] = []
    async with open_storage() as second, open_storage() as reader:
        writers = (_revoke(storage if number % 2 else second, "jti", f"{number}") for number in range(60))
        writing = asyncio.gather(*writers)
        while not writing.done() or (await reader.positions()).revocation > len(seen):
            async with reader.read() as work:
                seen += [row.position for row in await work.revocations.since(seen[-1] if seen else 0)]
            await asyncio.sleep(0)
        await writing
    assert seen == list(range(1, 61))


async def test_positions_are_seen_by_the_next_call_of_another_process(
    storage: Storage, open_storage: OpenStorage
) -> None:
    async with open_storage() as other:
        for expected in range(1, 6):
            await _revoke(storage, "jti", f"{expected}")
            assert (await other.positions()).revocation == expected


async def _begin_epoch(storage: Storage) -> int:
    return await _revoke(storage, "installation", "")


async def test_a_row_of_the_installation_begins_an_epoch_and_ends_whatever_was_issued_before(storage: Storage) -> None:
    """Positions that the lost end of a database may have given are below it, so their tokens end too."""
    for position in (BEGIN, BEGIN + EPOCH):
        lost = (await storage.positions()).revocation + 1000
        assert await _begin_epoch(storage) == position
        async with storage.read() as work:
            row = revocation("installation", "", position=position)
            assert await work.revocations.ends(token(rev=lost)) is not None
            assert await work.revocations.ends(token(rev=position - 1)) == row
            assert await work.revocations.ends(token(rev=position)) is None
        await _revoke(storage, "jti", "later")
        async with storage.read() as work:
            assert await work.revocations.ends(token(rev=position)) is None
            assert await work.revocations.ends(token(rev=position - 1)) == row


async def test_two_epochs_that_begin_on_the_same_old_copy_are_different_ones(
    storage: Storage,
) -> None:
    """What was issued after the first restore of a backup ends with the second one."""
    async with storage.write() as work:
        await work.revocations.append(revocation("installation", "", at=NOW + 1))
        assert (await work.positions()).revocation == BEGIN + EPOCH
        assert (await work.positions()).registry == BEGIN + EPOCH
    assert epoch_at(NOW + 1) == epoch_at(NOW) + 1


async def test_rows_of_the_act_that_begins_an_epoch_follow_it(storage: Storage) -> None:
    async with storage.write() as work:
        await work.revocations.append(revocation("jti", "a"))
        await work.revocations.append(revocation("installation", ""))
        await work.revocations.append(revocation("jti", "b"))
    async with storage.read() as work:
        rows = [(row.position - BEGIN, row.kind, row.value) for row in await work.revocations.since(0)]
    assert rows == [(0, "installation", ""), (1, "jti", "a"), (2, "jti", "b")]


async def test_there_are_no_epochs_beyond_what_json_can_tell(storage: Storage) -> None:
    """RFC 8259 section 6: integers up to 2**53 - 1 are read alike by everybody."""
    with pytest.raises(ConfigurationError, match="no epochs left"):
        async with storage.write() as work:
            await work.revocations.append(revocation("installation", "", at=NOW + 2**31))
    assert (await storage.positions()).revocation == 0


async def test_the_registry_leaps_with_the_epoch(storage: Storage) -> None:
    for position in (BEGIN, BEGIN + EPOCH):
        await _begin_epoch(storage)
        assert (await storage.positions()).registry == position


async def test_an_epoch_that_is_rolled_back_has_not_begun(storage: Storage) -> None:
    before = await storage.positions()
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is what is tested
        async with storage.write() as work:
            await work.revocations.append(revocation("installation", ""))
            assert (await work.positions()).revocation == BEGIN
            raise RuntimeError
    assert await storage.positions() == before
