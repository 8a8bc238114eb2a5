"""What is begun of a user while all of it is ended: one of the two waits for the other (ASVS 7.4.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from ostiary.model.user import User
from ostiary.revocation import Act, end_sessions_of, revoke_consent, revoke_user
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.user_authentication.accounts import change_user
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW
from tests.contract.storage.test_users import GRANT, USER, session

pytestmark = pytest.mark.anyio
ACT = Act("cli", NOW)
End = Callable[[UnitOfWork], Awaitable[object]]


async def _beside(open_storage: OpenStorage, storage: Storage, first: End, second: End) -> None:
    """``second``, in another process, while ``first`` is at work on the user whom it holds; it goes on afterwards."""

    async def other_process(other: Storage) -> None:
        async with other.write() as work:
            await second(work)

    async with open_storage() as other:
        async with storage.write() as work:
            assert await work.users.hold("usr_1") is not None
            beside = asyncio.create_task(other_process(other))
            await asyncio.sleep(0.05)
            assert not beside.done()
            await first(work)
        await beside


@pytest.mark.parametrize(
    ("end", "sessions", "grants"),
    [
        (lambda work: revoke_user(work, "usr_1", ACT), 0, 0),
        (lambda work: end_sessions_of(work, "usr_1", ACT), 0, 0),
        (lambda work: revoke_consent(work, "usr_1", "app", ACT), 1, 0),
    ],
    ids=["account", "sessions", "consent"],
)
async def test_what_was_begun_meanwhile_is_ended_too(
    storage: Storage, open_storage: OpenStorage, end: End, sessions: int, grants: int
) -> None:
    async with storage.write() as work:
        await work.users.add(USER)

    async def begin(work: UnitOfWork) -> None:
        await work.sessions.add(session())
        await work.grants.add(GRANT)

    await _beside(open_storage, storage, begin, end)
    async with storage.read() as work:
        assert len(await work.sessions.of_user("usr_1")) == sessions
        assert len(await work.grants.standing_of_user("usr_1")) == grants


async def test_who_waited_sees_the_user_as_the_other_left_them(storage: Storage, open_storage: OpenStorage) -> None:
    async with storage.write() as work:
        await work.users.add(USER)
    seen: list[User | None] = []

    async def look(work: UnitOfWork) -> None:
        seen.append(await work.users.hold("usr_1"))

    await _beside(open_storage, storage, lambda work: revoke_user(work, "usr_1", ACT), look)
    assert seen == [replace(USER, state="disabled", updated_at=NOW)]


async def test_a_change_of_the_profile_enables_nobody_who_was_disabled_meanwhile(
    storage: Storage, open_storage: OpenStorage
) -> None:
    async with storage.write() as work:
        await work.users.add(replace(USER, claims={}))
    await _beside(
        open_storage,
        storage,
        lambda work: revoke_user(work, "usr_1", ACT),
        lambda work: change_user(work, "usr_1", ACT, username="Ada L."),
    )
    async with storage.read() as work:
        user = await work.users.get("usr_1")
    assert user is not None
    assert (user.username, user.state) == ("Ada L.", "disabled")


async def test_nobody_is_held_who_is_not_there(storage: Storage) -> None:
    async with storage.write() as work:
        assert await work.users.hold("usr_1") is None
