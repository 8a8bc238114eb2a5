"""The same acts where many transactions write at once: what they end, and that none of them stands in another's way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.revocation import revoke_client, revoke_session, revoke_user
from ostiary.storage.open import storage_for
from tests.authorization_server.world import World, shop_world
from tests.revocation.everything import ACT, ADA, ended_tokens, fill, rows
from tests.revocation.test_cascade import CASES, Case


@pytest.fixture
def shared(tmp_path: Path, migrated_postgres_url: str) -> Iterator[World]:
    with shop_world(tmp_path, storage=storage_for(migrated_postgres_url)) as world:
        fill(world)
        yield world


@pytest.mark.parametrize("name", ["user", "client", "key", "consent"])
def test_an_act_ends_the_same(shared: World, name: str) -> None:
    case: Case = CASES[name]
    assert shared.write(case.act) == [case.ended]
    assert sorted(rows(shared)) == sorted(case.rows)
    assert ended_tokens(shared) == case.tokens


def test_acts_at_one_moment_each_learn_a_position_of_their_own(shared: World) -> None:
    async def act(end: Any, *named: Any) -> int:
        async with shared.storage.write() as work:
            assert await end(work, *named, ACT)
            return await work.revocations.position()

    async def at_once() -> list[int]:
        acts = (act(revoke_session, "ses_1"), act(revoke_client, "shop"), act(revoke_client, "other"))
        return list(await asyncio.gather(*acts))

    assert sorted(shared.run(at_once())) == [1, 2, 3]
    assert shared.write(lambda work: revoke_user(work, ADA, ACT))[0].users == 1
