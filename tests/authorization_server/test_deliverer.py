"""The queue of what must reach the outside."""

from __future__ import annotations

import asyncio

from ostiary.authorization_server.deliverer import Deliverer
from ostiary.model.delivery import Delivery
from ostiary.storage.base import UnitOfWork
from tests.authorization_server.world import World


def test_a_receiver_that_takes_its_time_keeps_nobody_else_waiting(world: World) -> None:
    now = int(world.clock())
    other_arrived = asyncio.Event()

    async def add(work: UnitOfWork) -> None:
        for name in ("dlv_1_slow", "dlv_2"):
            await work.deliveries.add(Delivery(name, "backchannel_logout", b"", now, now + 60))

    async def deliver(delivery: Delivery) -> None:
        if delivery.delivery_id == "dlv_2":
            other_arrived.set()
        else:
            await other_arrived.wait()

    world.write(add)
    deliverer = Deliverer(world.storage, {"backchannel_logout": deliver}, world.clock)
    assert world.run(asyncio.wait_for(deliverer.run_once(), 10)) == 2


def test_a_heap_of_letters_at_a_mail_server_that_hangs_holds_up_no_logout_token(world: World) -> None:
    now = int(world.clock())
    hanging = asyncio.Event()

    async def add(work: UnitOfWork) -> None:
        for number in range(30):
            await work.deliveries.add(Delivery(f"dlv_{number:02}", "email", b"", now - 60, now + 60))
        await work.deliveries.add(Delivery("dlv_logout", "backchannel_logout", b"", now, now + 60))

    async def hang(delivery: Delivery) -> None:
        hanging.set()
        await asyncio.Event().wait()

    async def arrive(delivery: Delivery) -> None:
        assert delivery.delivery_id == "dlv_logout"

    async def side_by_side() -> int:
        rounds = Deliverer(world.storage, {"email": hang, "backchannel_logout": arrive}, world.clock).rounds()
        letters = asyncio.ensure_future(rounds["email"]())
        await hanging.wait()
        arrived = await rounds["backchannel_logout"]()
        letters.cancel()
        await asyncio.gather(letters, return_exceptions=True)
        return arrived

    world.write(add)
    assert world.run(asyncio.wait_for(side_by_side(), 10)) == 1
