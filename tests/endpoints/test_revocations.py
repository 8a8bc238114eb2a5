"""The revocation feed: who may follow it, what its messages say, and how an answer ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.audit import tags
from ostiary.errors import Unavailable
from ostiary.protocol.revocation_feed import Known, Message, Row, check_progress
from ostiary.revocation.act import Act
from ostiary.revocation_feed import speaker, stream
from ostiary.settings.revocation_feed import RevocationFeedSettings
from tests.authorization_server.world import NOW, ORDERS, World, client_key, shop_world
from tests.endpoints.following import NONCE, Reader, following, scenario

FOREVER = int(NOW) + 600


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with shop_world(tmp_path) as built:
        beating(built, 10.0)
        yield built


def beating(world: World, seconds: float, **more: Any) -> None:
    """Let the hub of this world say so often that nothing has changed."""
    world.server.feed._settings = RevocationFeedSettings(heartbeat=seconds, **more)


async def revoke(world: World, *values: str, kind: Any = "jti", expires_at: int = FOREVER) -> None:
    async with world.storage.write() as work:
        for value in values:
            await work.revocations.append(Act("cli", NOW).row(kind, value, expires_at=expires_at))


async def readers(world: World) -> list[Any]:
    async with world.storage.read() as work:
        return await work.feed_readers.list()


async def all_of(reader: Reader, upto: int) -> list[Message]:
    """The messages up to a position; each follows the one before it."""
    found = [await reader.next()]
    while found[-1].end < upto:
        found.append(await reader.next())
    return found


# -- what a reader is told --------------------------------------------------------------------------------------------


def test_the_first_message_repeats_the_nonce_and_holds_every_row_above_the_position(world: World) -> None:
    async def told() -> None:
        await revoke(world, "t-1", "t-2", "t-3")
        before = world.server.feed.now()
        async with following(world, after="1", nonce=NONCE) as reader:
            message = await reader.next()
            assert reader.status == 200
            assert (message.start, message.end, message.head, message.nonce) == (1, 3, 3, NONCE)
            assert message.rows == (Row(2, "jti", "t-2", FOREVER), Row(3, "jti", "t-3", FOREVER))
            assert message.installation == await world.server.registry.installation()
            assert message.node == world.server.feed.node
            assert before <= message.at <= world.server.feed.now()

    scenario(world, told)


def test_the_answer_is_a_stream_that_nobody_stores_or_holds_back(world: World) -> None:
    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            assert reader.headers == {
                "content-type": "text/event-stream",
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
                "x-accel-buffering": "no",
            }

    scenario(world, told)


def test_what_is_committed_later_comes_in_a_message_that_begins_where_the_reader_stands(world: World) -> None:
    async def told() -> None:
        async with following(world) as reader:
            first = await reader.next()
            await revoke(world, "t-1", "t-2")
            message = await reader.next()
            assert (message.start, message.end, message.head) == (0, 2, 2)
            assert [row.value for row in message.rows] == ["t-1", "t-2"]
            assert (message.nonce, message.reader) == (None, None)
            known = check_progress(Known(), first, nonce=first.nonce)
            assert check_progress(known, message, nonce=None).position == 2

    scenario(world, told)


def test_every_reader_is_sent_the_same_octets(world: World) -> None:
    async def told() -> None:
        async with following(world) as one, following(world, "api_bills") as other:
            await one.next()
            await other.next()
            await revoke(world, "t-1")
            assert await one.body() == await other.body()

    scenario(world, told)


def test_a_long_log_comes_in_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaker, "PAGE_ROWS", 4)

    async def told() -> None:
        await revoke(world, *(f"t-{number}" for number in range(1, 11)))
        async with following(world) as reader:
            pages = await all_of(reader, 10)
            assert [(page.start, page.end, page.head) for page in pages] == [(0, 4, 10), (4, 8, 10), (8, 10, 10)]
            assert [page.nonce is None for page in pages] == [False, True, True]
            assert [row.position for page in pages for row in page.rows] == list(range(1, 11))

    scenario(world, told)


def test_a_row_that_is_over_by_every_clock_is_not_sent(world: World) -> None:
    async def told() -> None:
        await revoke(world, "over", expires_at=int(NOW) - 600)
        await revoke(world, "not-over-by-a-slow-clock", expires_at=int(NOW) - 599)
        async with following(world) as reader:
            message = await reader.next()
            assert [row.value for row in message.rows] == ["not-over-by-a-slow-clock"]
            assert (message.start, message.end) == (0, 2)

    scenario(world, told)


def test_a_reader_that_joins_while_much_is_revoked_misses_and_repeats_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The property of the feed: what was committed is streamed in order, without gap or repetition."""
    monkeypatch.setattr(speaker, "PAGE_ROWS", 7)

    async def writing(number: int) -> None:
        for each in range(20):
            await revoke(world, f"t-{number}-{each}")
            await asyncio.sleep(0)

    async def reading(after: int) -> None:
        async with following(world, after=str(after)) as reader:
            known, seen = Known(position=after), list[int]()
            first = True
            while known.position < 100:
                message = await reader.next()
                known = check_progress(known, message, nonce=message.nonce if first else None)
                first = False
                seen += [row.position for row in message.rows]
            assert seen == list(range(after + 1, 101))

    async def told() -> None:
        writers = [asyncio.create_task(writing(number)) for number in range(5)]
        joined = [asyncio.create_task(reading(0))]
        while (head := (await world.storage.positions()).revocation) < 90:
            if head > 15 * len(joined):
                joined.append(asyncio.create_task(reading(head // 2)))
            await asyncio.sleep(0)
        assert len(joined) > 3
        await asyncio.gather(*writers, *joined)

    scenario(world, told)


# -- how fresh it is --------------------------------------------------------------------------------------------------


def test_the_first_message_holds_what_no_other_stream_has_been_told_yet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ``at`` is later than that row, so it must not say that it knows the log without it."""
    feed = world.server.feed

    async def nothing() -> None:
        """A wake-up that is lost."""

    async def told() -> None:
        async with following(world, "api_bills") as other:
            await other.next()
            monkeypatch.setattr(feed, "_say_news", nothing)
            await revoke(world, "a")
            async with following(world) as reader:
                message = await reader.next()
                assert (message.head, [row.value for row in message.rows]) == (1, ["a"])
            assert [row.value for row in (await other.next()).rows] == ["a"]

    scenario(world, told)


def test_a_heartbeat_says_that_nothing_has_changed(world: World) -> None:
    beating(world, 0.01)

    async def told() -> None:
        await revoke(world, "t-1")
        async with following(world) as reader:
            known = check_progress(Known(), first := await reader.next(), nonce=first.nonce)
            for _ in range(3):
                beat = await reader.next()
                assert (beat.start, beat.end, beat.rows) == (1, 1, ())
                known = check_progress(known, beat, nonce=None)
            assert known.at > first.at

    scenario(world, told)


def test_a_heartbeat_follows_a_commit_that_keeps_its_readers(world: World) -> None:
    beating(world, 0.01)

    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            world.clock.now += 100
            await reader.next()
            await reader.next()
            assert [row.seen_at for row in await readers(world)] == [int(NOW) + 100]

    scenario(world, told)


def test_a_write_that_changed_nothing_proves_nothing_and_its_readers_ask_again(world: World) -> None:
    """Such as one of readers whose rows are gone: a database that was cut off from its standby commits it, too."""
    beating(world, 0.01)

    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            async with world.storage.write() as work:
                await work.feed_readers.remove([row.digest for row in await work.feed_readers.list()])
            await reader.ended.wait()

    scenario(world, told)


def test_a_database_that_cannot_commit_makes_nothing_look_fresh(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be one that was cut off from its standby: what it says may be read, but proves no time."""
    beating(world, 0.01)

    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            tried = asyncio.Event()

            async def refused() -> None:
                tried.set()
                raise Unavailable("storage", "cut off from its standby")

            monkeypatch.setattr(world.server.feed, "_keep_readers", refused)
            before = [await reader.next() for _ in range(reader.waiting)]
            tried.clear()
            await tried.wait()
            await tried.wait()
            assert reader.waiting == 0
            limit = world.server.feed.now()
            tried.clear()
            await tried.wait()
            await revoke(world, "t-1")
            message = await reader.next()
            assert [row.value for row in message.rows] == ["t-1"]
            assert message.at < limit
            assert all(beat.at <= message.at for beat in before)

    scenario(world, told)


# -- who may follow ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "check"),
    [
        ({"after": "-1"}, "position"),
        ({"after": "1.5"}, "position"),
        ({"after": "9" * 17}, "position"),
        ({"after": str(2**53)}, "position"),
        ({"nonce": None}, "nonce"),
        ({"nonce": "x" * 15}, "nonce"),
        ({"nonce": "x" * 65}, "nonce"),
    ],
)
def test_an_unfit_request_is_refused(world: World, parameters: dict[str, str], check: str) -> None:
    answer = world.post("/revocations", world.form("api_orders", **({"nonce": NONCE} | parameters)))
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert world.trace(answer).checks[-1].name == check


@pytest.mark.parametrize("parameters", [{"after": "1"}, {"installation": "000000"}])
def test_a_reader_with_another_past_is_told_so(
    world: World, parameters: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = world.post("/revocations", world.form("api_orders", nonce=NONCE, **parameters))
    assert (answer.status, answer.json["error"]) == (409, "unknown_position")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert world.run(readers(world)) == []


def test_a_reader_of_this_installation_goes_on_where_it_stood(world: World) -> None:
    async def told() -> None:
        await revoke(world, "t-1")
        installation = await world.server.registry.installation()
        async with following(world, after="1", installation=installation) as reader:
            message = await reader.next()
            assert (message.start, message.end, message.rows) == (1, 1, ())

    scenario(world, told)


def test_a_client_that_is_no_api_does_not_follow(world: World) -> None:
    answer = world.post("/revocations", world.form("shop", nonce=NONCE))
    assert (answer.status, answer.json["error"]) == (403, "unauthorized_client")


def test_a_disabled_api_does_not_follow(world: World) -> None:
    disable(world)
    answer = world.post("/revocations", world.form("api_orders", nonce=NONCE))
    assert (answer.status, answer.json["error"]) == (403, "unauthorized_client")


def disable(world: World) -> None:
    api = world.read(lambda work: work.apis.get(ORDERS))
    world.write(lambda work: work.apis.replace(replace(api, state="disabled")))


def test_who_proves_nothing_does_not_follow(world: World) -> None:
    answer = world.post("/revocations", {"client_id": "api_orders", "nonce": NONCE})
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_an_assertion_begins_one_stream(world: World) -> None:
    assertion = world.assertion("api_orders")

    async def told() -> None:
        async with following(world, assertion=assertion) as reader:
            await reader.next()

    scenario(world, told)
    answer = world.post("/revocations", world.form("api_orders", nonce=NONCE, assertion=assertion))
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_who_follows_is_audited(world: World) -> None:
    async def told() -> None:
        async with following(world) as reader:
            await reader.next()

    scenario(world, told)
    [row] = [row for row in world.audit() if row.tag == tags.FEED_FOLLOWED]
    assert (row.actor, row.details) == ("api_orders", {"after": "0"})


# -- how it ends ------------------------------------------------------------------------------------------------------


async def until_it_ends(reader: Reader) -> None:
    async with asyncio.timeout(30):
        await reader.ended.wait()


@pytest.mark.parametrize("ended", ["api", "client", "key"])
def test_a_stream_ends_when_it_could_not_begin_any_more(world: World, ended: str) -> None:
    beating(world, 0.01)

    async def told() -> None:
        async with following(world) as reader, following(world, "api_bills") as other:
            await reader.next()
            async with world.storage.write() as work:
                if ended == "api":
                    api = await work.apis.get(ORDERS)
                    assert api is not None
                    await work.apis.replace(replace(api, state="disabled"))
                elif ended == "client":
                    client = await work.clients.get("api_orders")
                    assert client is not None
                    await work.clients.replace(replace(client, state="disabled"))
                else:
                    await work.client_keys.set_state(client_key("api_orders", "api_orders-1").thumbprint, "retired")
            await until_it_ends(reader)
            assert not other.ended.is_set()

    scenario(world, told)


def test_a_reader_that_was_shut_out_just_before_it_joins_is_told_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was admitted; its API is disabled, and every other stream looked at, before its own begins."""
    beating(world, 0.01)
    feed = world.server.feed
    join = feed.join

    async def joins_late(opening: Any) -> Any:
        async with world.storage.write() as work:
            api = await work.apis.get(ORDERS)
            assert api is not None
            await work.apis.replace(replace(api, state="disabled"))
        await feed._say_heartbeat()
        return await join(opening)

    async def told() -> None:
        async with following(world, "api_bills") as other:
            await other.next()
            monkeypatch.setattr(feed, "join", joins_late)
            async with following(world) as reader:
                await until_it_ends(reader)
                assert reader.status == 503  # asked again, it learns why
            assert len(feed.seats) == 1

    scenario(world, told)


def test_a_reader_whose_machine_is_off_is_given_up_after_a_few_heartbeats(world: World) -> None:
    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            assert 10 < reader.patience < 60

    scenario(world, told)


def test_a_stream_ends_after_its_life(world: World) -> None:
    async def told() -> None:
        world.server.feed.life = lambda: 0.01  # type: ignore[method-assign]
        async with following(world) as reader:
            await reader.next()
            await until_it_ends(reader)

    scenario(world, told)


def test_a_stream_ends_at_once_when_the_server_stops(world: World) -> None:
    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            assert reader.at_stop is not None
            reader.at_stop()
            await until_it_ends(reader)

    scenario(world, told)


@pytest.mark.parametrize("bound", ["MAX_WAITING", "MAX_WAITING_OCTETS"])
def test_a_reader_that_does_not_read_is_cut_off_and_the_others_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(stream, bound, {"MAX_WAITING": 3, "MAX_WAITING_OCTETS": 2000}[bound])

    async def told() -> None:
        async with following(world) as slow, following(world, "api_bills") as other:
            await slow.next()
            await other.next()
            slow.reading.clear()
            for number in range(1, 8):
                await revoke(world, f"t-{number}")
                assert (await other.next()).end == number
            async with asyncio.timeout(30):
                await slow.aborted.wait()
        assert ("feed_streams_ended", {"why": "slow"}) in world.events

    scenario(world, told)


def test_a_reader_that_has_gone_leaves_no_trace(world: World) -> None:
    beating(world, 0.01)

    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            assert len(await readers(world)) == 1
        async with asyncio.timeout(30):
            while await readers(world):  # noqa: ASYNC110 - what is waited for stands in the database
                await asyncio.sleep(0)
        assert len(world.server.feed.seats) == 0

    scenario(world, told)


def test_an_api_has_so_many_streams_and_no_more(world: World) -> None:
    world.server.feed.seats._most_of_one = 1

    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            async with following(world) as second:
                await second.body()
                assert (second.status, second.headers["retry-after"]) == (429, "30")
            async with following(world, "api_bills") as other:
                await other.next()
        async with following(world) as again:
            await again.next()
            assert again.status == 200

    scenario(world, told)


def test_all_together_have_so_many_streams_and_no_more(world: World) -> None:
    world.server.feed.seats._most = 1

    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            async with following(world, "api_bills") as second:
                await second.body()
                assert (second.status, second.headers["retry-after"]) == (503, "5")

    scenario(world, told)


def test_a_log_that_has_become_shorter_ends_every_stream(world: World, caplog: pytest.LogCaptureFixture) -> None:
    beating(world, 0.01)

    async def told() -> None:
        async with following(world) as reader:
            await reader.next()
            world.server.feed._position = 5
            await until_it_ends(reader)

    scenario(world, told)
    assert "lost commits" in caplog.text
