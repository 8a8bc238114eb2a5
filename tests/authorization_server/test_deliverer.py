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
