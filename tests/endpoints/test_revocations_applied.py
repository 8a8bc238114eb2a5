"""What a reader of the feed says it has applied: by the secret of its stream alone, never beyond the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from ostiary.errors import Unavailable
from ostiary.model.feed_reader import FeedReader
from ostiary.protocol import token_format
from ostiary.revocation.act import Act
from tests.authorization_server.world import NOW, Answer, World, shop_world
from tests.endpoints.following import following, scenario


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world whose log stands at 3."""
    with shop_world(tmp_path) as built:
        rows = [Act("cli", NOW).row("jti", f"t-{number}") for number in range(3)]
        built.write(*(lambda work, row=row: work.revocations.append(row) for row in rows))
        yield built


@pytest.fixture
def secret(world: World) -> str:
    """That of a reader which stood at 1 when its stream began, an hour ago."""
    installation = world.run(world.server.registry.installation())
    made = token_format.generate(token_format.FEED_READER, installation)
    reader = FeedReader(token_format.digest(made), "api_orders", "node-1", 1, int(NOW) - 3600, int(NOW))
    world.write(lambda work: work.feed_readers.add(reader))
    return made


def applied(world: World, secret: str, position: str) -> Answer:
    return world.post("/revocations/applied", {"reader": secret, "position": position})


def known(world: World) -> list[tuple[int, int]]:
    return [(row.position, row.seen_at) for row in world.read(lambda work: work.feed_readers.list())]


def test_the_secret_of_a_stream_is_enough_to_say_what_was_applied(world: World) -> None:
    async def told() -> None:
        async with following(world, after="1") as reader:
            secret = (await reader.next()).reader
            headers = {"content-type": "application/x-www-form-urlencoded"}
            answer = await world.call("POST", "/revocations/applied", f"reader={secret}&position=3".encode(), headers)
            assert (answer.status, answer.body) == (204, b"")
            async with world.storage.read() as work:
                assert [row.position for row in await work.feed_readers.list()] == [3]

    scenario(world, told)


def test_what_was_applied_is_kept_with_the_time(world: World, secret: str) -> None:
    assert applied(world, secret, "2").status == 204
    assert known(world) == [(2, int(NOW))]


def test_a_lower_position_takes_nothing_back(world: World, secret: str) -> None:
    assert applied(world, secret, "0").status == 204
    assert known(world) == [(1, int(NOW))]


@pytest.mark.parametrize("position", ["4", "-1", "x", ""])
def test_a_position_that_is_none_of_the_log_is_refused(world: World, secret: str, position: str) -> None:
    answer = applied(world, secret, position)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert known(world) == [(1, int(NOW) - 3600)]


def test_a_missing_position_is_refused(world: World, secret: str) -> None:
    answer = world.post("/revocations/applied", {"reader": secret})
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def other_kind(secret: str) -> str:
    installation = token_format.parse(secret).installation
    return token_format.generate(token_format.SESSION, installation)


def other_installation(secret: str) -> str:
    return token_format.generate(token_format.FEED_READER, "000000")


def another(secret: str) -> str:
    return token_format.generate(token_format.FEED_READER, token_format.parse(secret).installation)


@pytest.mark.parametrize("made", [other_kind, other_installation, another, lambda _: "", lambda secret: secret[:-1]])
def test_who_is_no_reader_has_applied_nothing(world: World, secret: str, made: object) -> None:
    answer = applied(world, made(secret), "2")  # type: ignore[operator]
    assert (answer.status, answer.json["error"]) == (401, "invalid_token")
    assert known(world) == [(1, int(NOW) - 3600)]


def test_a_reader_whose_stream_has_ended_has_applied_nothing(world: World, secret: str) -> None:
    world.write(lambda work: work.feed_readers.remove([token_format.digest(secret)]))
    assert applied(world, secret, "2").status == 401


def test_strangers_write_no_rows(world: World) -> None:
    before = len(world.audit())
    assert applied(world, "ost_fr_", "2").status == 401
    assert len(world.audit()) == before


def test_a_secret_that_a_stranger_made_up_takes_no_turn_of_those_who_write(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = world.run(world.server.registry.installation())

    def refused() -> NoReturn:
        raise Unavailable("storage", "asked for a turn to write")

    monkeypatch.setattr(world.storage, "write", refused)
    assert applied(world, token_format.generate(token_format.FEED_READER, installation), "2").status == 401


def test_only_the_digest_of_the_secret_is_stored(world: World, secret: str) -> None:
    database = (world.folder / "ostiary.db").read_bytes() + (world.folder / "ostiary.db-wal").read_bytes()
    assert token_format.digest(secret) in database
    assert secret.encode() not in database
