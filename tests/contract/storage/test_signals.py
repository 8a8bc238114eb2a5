"""Event streams: one of each client, events in the order of commits, winners of races, tenants apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostiary.model.received_signal import ReceivedSignal
from ostiary.model.signal import POLL, SignalEvent, SignalStream
from ostiary.storage.base import Storage
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW

pytestmark = pytest.mark.anyio
TYPE = "https://events.example/a"


def stream(stream_id: str = "s1", **changes: Any) -> SignalStream:
    values: dict[str, Any] = {
        "stream_id": stream_id,
        "client_id": "app",
        "method": POLL,
        "endpoint_url": "",
        "sealed_authorization": b"\x00\xff",
        "events_requested": (TYPE, "https://events.example/b"),
        "description": "",
        "status": "enabled",
        "reason": "",
        "changed_by": "receiver",
        "verified_at": None,
        "verification_asked_at": 0,
        "attempts": 0,
        "due_at": 0,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return SignalStream(**(values | changes))


def event(jti: str, stream_id: str = "s1", **changes: Any) -> SignalEvent:
    values: dict[str, Any] = {"event_type": TYPE, "event": "{}", "at": NOW, "expires_at": NOW + 60}
    return SignalEvent(stream_id, jti, **(values | changes))


async def _jtis(storage: Storage, stream_id: str = "s1", **how: Any) -> list[str]:
    async with storage.read() as work:
        return [one.jti for one in await work.signal_events.waiting(stream_id, **({"limit": 100} | how))]


async def test_a_client_has_one_stream(storage: Storage) -> None:
    async with storage.write() as work:
        assert await work.signal_streams.add(stream())
        assert not await work.signal_streams.add(stream("s2"))
        assert await work.signal_streams.get("s1") == stream()
        assert await work.signal_streams.of_client("app") == stream()
        assert await work.signal_streams.get("s2") is None
        changed = stream(events_requested=(), status="paused")
        assert await work.signal_streams.replace(changed)
        assert not await work.signal_streams.replace(stream("s2"))
        assert await work.signal_streams.list() == [changed]
        assert await work.signal_streams.list(after="s1") == []


async def test_the_streams_that_want_an_event_are_those_that_asked_and_are_not_disabled(storage: Storage) -> None:
    async with storage.write() as work:
        for number, status in enumerate(("enabled", "paused", "disabled")):
            await work.signal_streams.add(stream(f"s{number}", client_id=f"app{number}", status=status))
        assert [one.stream_id for one in await work.signal_streams.wanting(TYPE)] == ["s0", "s1"]
        assert not await work.signal_streams.wanting("https://events.example/c")


async def test_of_two_that_change_a_status_one_wins(storage: Storage) -> None:
    named: dict[str, Any] = {"reason": "r", "by": "server", "at": NOW + 1, "was": "enabled"}
    async with storage.write() as work:
        await work.signal_streams.add(stream(attempts=3, due_at=9))
        assert await work.signal_streams.set_status("s1", "paused", **named)
        assert not await work.signal_streams.set_status("s1", "disabled", **named)
        found = await work.signal_streams.get("s1")
    assert found == stream(status="paused", reason="r", changed_by="server", updated_at=NOW + 1)


async def test_a_verification_is_asked_for_once_in_its_time(storage: Storage) -> None:
    async with storage.write() as work:
        await work.signal_streams.add(stream())
        assert await work.signal_streams.ask_verification("s1", at=NOW, before=NOW - 30)
        assert not await work.signal_streams.ask_verification("s1", at=NOW + 1, before=NOW - 29)
        assert await work.signal_streams.ask_verification("s1", at=NOW + 30, before=NOW)


async def test_events_wait_in_the_order_of_commits(storage: Storage) -> None:
    """Their times and names do not count: the second to be committed comes second, whatever its clock said."""
    async with storage.write() as work:
        await work.signal_events.add(event("z", at=NOW + 100))
        await work.signal_events.add(event("other", "s2"))
    async with storage.write() as work:
        await work.signal_events.add(event("a", at=NOW - 100, event_type="t"))
    assert await _jtis(storage) == ["z", "a"]
    assert await _jtis(storage, limit=1) == ["z"]
    assert await _jtis(storage, event_type="t") == ["a"]


async def test_a_unit_of_work_sees_the_events_that_it_has_queued(storage: Storage) -> None:
    async with storage.write() as work:
        await work.signal_events.add(event("a", user_id="usr_1", session_id="ses_1"))
        [found] = await work.signal_events.waiting("s1", limit=5)
        assert found == event("a", user_id="usr_1", session_id="ses_1", position=found.position)
        assert await work.signal_events.remove_all("s1") == 1


async def test_a_unit_of_work_that_fails_has_queued_nothing(storage: Storage) -> None:
    async def fail() -> None:
        async with storage.write() as work:
            await work.signal_events.add(event("a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with storage.write() as work:
        await work.signal_events.add(event("b"))
    assert await _jtis(storage) == ["b"]


async def test_events_are_removed_by_name_and_only_from_their_own_stream(storage: Storage) -> None:
    async with storage.write() as work:
        for one in (event("a"), event("b"), event("a", "s2")):
            await work.signal_events.add(one)
    async with storage.write() as work:
        assert await work.signal_events.remove("s1", ["a", "x", "a"]) == 1
        assert (await work.signal_events.count("s1"), await work.signal_events.count("s2")) == (1, 1)
        assert await work.signal_events.reach("s1", 1)
        assert not await work.signal_events.reach("s1", 2)


async def test_a_deleted_stream_takes_its_events_and_subjects_along(storage: Storage) -> None:
    async with storage.write() as work:
        await work.signal_streams.add(stream())
        await work.signal_events.add(event("a"))
        await work.signal_streams.remove_subject("s1", "usr_1", at=NOW)
        await work.signal_streams.remove_subject("s1", "usr_1", at=NOW)
    async with storage.write() as work:
        assert await work.signal_streams.has_removed("s1", "usr_1")
        assert await work.signal_streams.removed_subjects_reach("s1", 1)
        assert not await work.signal_streams.removed_subjects_reach("s1", 2)
        assert await work.signal_streams.remove("s1")
        assert not await work.signal_streams.remove("s1")
        assert not await work.signal_streams.has_removed("s1", "usr_1")
    assert await _jtis(storage) == []


async def test_a_subject_that_was_added_again_is_not_removed(storage: Storage) -> None:
    async with storage.write() as work:
        await work.signal_streams.remove_subject("s1", "usr_1", at=NOW)
        await work.signal_streams.add_subject("s1", "usr_1")
        assert not await work.signal_streams.has_removed("s1", "usr_1")


async def test_events_that_nobody_fetched_end(storage: Storage) -> None:
    async with storage.write() as work:
        await work.signal_events.add(event("old"))
        await work.signal_events.add(event("new", expires_at=NOW + 61))
    assert await storage.expire(NOW + 60) == 1
    assert await _jtis(storage) == ["new"]


async def test_a_received_token_is_marked_once_and_kept_until_its_end(storage: Storage) -> None:
    taken = ReceivedSignal("https://works.example", "j-1", NOW + 60)
    async with storage.write() as work:
        assert await work.received_signals.mark(taken)
        assert not await work.received_signals.mark(taken)
        assert not await work.received_signals.mark(replace(taken, expires_at=NOW + 90))
        assert await work.received_signals.mark(replace(taken, issuer="https://other.example"))
        assert await work.received_signals.mark(replace(taken, tenant="b"))
    assert await storage.expire(NOW + 60) == 3
    async with storage.write() as work:
        assert await work.received_signals.mark(taken)


async def test_another_process_queues_behind_the_first(open_storage: OpenStorage) -> None:
    async with open_storage() as one, open_storage() as other:
        for number, storage in enumerate((one, other, one, other)):
            async with storage.write() as work:
                await work.signal_events.add(event(f"{9 - number}"))
        assert await _jtis(one) == ["9", "8", "7", "6"]


async def test_tenants_do_not_meet(storage: Storage) -> None:
    """attack 34."""
    async with storage.write() as work:
        for tenant in ("default", "b"):
            assert await work.signal_streams.add(stream(tenant=tenant))
            await work.signal_events.add(event("a", tenant=tenant))
        await work.signal_streams.remove_subject("s1", "usr_1", at=NOW, tenant="b")
    async with storage.write() as work:
        assert not await work.signal_streams.has_removed("s1", "usr_1")
        await work.signal_events.remove("s1", ["a"], tenant="b")
        await work.signal_streams.remove("s1", tenant="b")
        assert await work.signal_streams.list(tenant="b") == []
        assert await work.signal_streams.get("s1") == stream()
    assert await _jtis(storage) == ["a"]


async def test_the_clients_of_a_user_are_those_that_ever_had_a_grant(storage: Storage) -> None:
    from tests.contract.storage.examples import grant

    async with storage.write() as work:
        for number, client_id in enumerate(("app", "app", "site")):
            await work.grants.add(grant(f"g{number}", client_id=client_id, user_id="usr_1"))
        await work.grants.add(grant("g9", client_id="other", user_id="usr_2"))
        await work.grants.end("g2", NOW)
        assert await work.grants.clients_of_user("usr_1") == {"app", "site"}
