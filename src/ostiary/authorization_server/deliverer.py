"""Takes deliveries out of the queue and tries them until they arrive or their time is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from ostiary.errors import OstiaryError
from ostiary.model.delivery import Delivery, DeliveryKind
from ostiary.storage.base import Storage

Handler = Callable[[Delivery], Awaitable[None]]
"""Delivers; returns when it has arrived, raises when it has not and is to be tried again."""

PAUSES = (30, 120, 600, 3600)
"""Seconds from one try to the next; the last one repeats."""

log = logging.getLogger("ostiary.deliveries")


class Undeliverable(Exception):
    """It makes no sense to try again: the receiver is gone, or it refuses for good."""


class Deliverer:
    """Works through what is due. handlers: by kind. clock: seconds since the epoch."""

    def __init__(self, storage: Storage, handlers: Mapping[DeliveryKind, Handler], clock: Callable[[], float]) -> None:
        self._storage = storage
        self._handlers = handlers
        self._clock = clock

    def rounds(self) -> dict[DeliveryKind, Callable[[], Awaitable[int]]]:
        """For each kind what tries those that are due. Each is a chore of its own, every few seconds, so that a mail
        server that hangs, or a heap of letters, holds up no logout token."""
        return {kind: partial(self._round, kind) for kind in self._handlers}

    async def run_once(self) -> int:
        """Try what is due now, of every kind; how many arrived. Harmless in several processes."""
        return sum(await asyncio.gather(*(one() for one in self.rounds().values())))

    async def _round(self, kind: DeliveryKind) -> int:
        now = int(self._clock())
        async with self._storage.read() as work:
            due = await work.deliveries.due(now=now, kind=kind)
        return sum(await asyncio.gather(*(self._try(delivery, self._handlers[kind], now) for delivery in due)))

    async def _try(self, delivery: Delivery, handler: Handler, now: int) -> bool:
        pause = PAUSES[min(delivery.attempts, len(PAUSES) - 1)]
        async with self._storage.write() as work:
            taken = delivery.expires_at > now and await work.deliveries.take(delivery, due_at=now + pause)
        if not taken:
            return False
        try:
            await handler(delivery)
        except Undeliverable as error:
            log.error("%s %s is given up: %s", delivery.kind, delivery.delivery_id, error)
        except (OstiaryError, OSError) as error:
            log.warning(
                "%s %s did not arrive and is tried again in %s s: %s", delivery.kind, delivery.delivery_id, pause, error
            )
            return False
        except Exception:
            # A fault of ours in one delivery must not keep the others back.
            log.exception("%s %s failed and is tried again in %s s", delivery.kind, delivery.delivery_id, pause)
            return False
        async with self._storage.write() as work:
            await work.deliveries.remove(delivery.delivery_id)
        return True
