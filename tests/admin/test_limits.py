"""What the settings say of clients holds for those that are registered, too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ostiary.admin.clients import create_client
from ostiary.admin.commands import NewClient
from tests.admin.room import Room


@pytest.mark.parametrize(("own", "expected"), [(None, 2), (7, 7)])
def test_concurrency_of_the_settings_holds_where_the_client_has_none_of_its_own(
    room: Room, own: int | None, expected: int
) -> None:
    limits = replace(room.limits, max_concurrency=2)
    command = NewClient(name="shop", max_concurrency=own)
    made = room.world.run(create_client(room.world.storage, limits, command, room.act()))
    assert made.client.max_concurrency == expected


def test_concurrency_comes_from_the_settings(room: Room) -> None:
    assert room.limits.max_concurrency == room.world.settings.server.max_concurrency_per_client
