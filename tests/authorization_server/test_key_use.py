"""When a key was last used is written in batches, and survives a database that is away for a while."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from ostiary.authorization_server.key_use import INTERVAL
from ostiary.errors import Unavailable
from ostiary.storage.base import UnitOfWork
from tests.authorization_server.world import NOW, World, signing_key

THUMBPRINT = signing_key("shop-1").verification_key.thumbprint


class Away:
    """A storage that cannot be written."""

    def write(self, *, brief: bool = False) -> AbstractAsyncContextManager[UnitOfWork]:
        raise Unavailable("storage", "busy")


def last_used(world: World) -> int | None:
    key = world.read(lambda work: work.client_keys.by_thumbprint(THUMBPRINT))
    found: int | None = key.last_used_at
    return found


def test_the_last_use_is_written_by_the_flush(world: World) -> None:
    world.access_token()
    assert last_used(world) is None
    world.run(world.server.flush())
    assert last_used(world) == int(NOW)


def test_a_later_use_is_written_after_a_minute_and_not_before(world: World) -> None:
    for later, expected in ((0, 0), (INTERVAL - 1, 0), (INTERVAL, INTERVAL)):
        world.clock.now = NOW + later
        world.access_token()
        world.run(world.server.flush())
        assert last_used(world) == int(NOW) + expected


def test_a_refused_use_is_no_use(world: World) -> None:
    world.token(assertion=world.assertion(key=signing_key("foreign")))
    world.run(world.server.flush())
    assert last_used(world) is None


def test_what_could_not_be_written_is_written_by_the_next_flush(world: World) -> None:
    world.access_token()
    away: Any = Away()
    with pytest.raises(Unavailable):
        world.run(world.server.key_use.flush(away))
    world.run(world.server.flush())
    assert last_used(world) == int(NOW)
