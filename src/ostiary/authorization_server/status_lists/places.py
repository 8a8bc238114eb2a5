"""Gives each token that shall have one a place in a Token Status List: at random, and never a place twice.

Each process draws places in blocks, in a short transaction of its own: random ones among those that the list has left,
noted as given before the first of them is in a token. So issuing costs nothing beyond its own transaction, and no two
processes or nodes can give the same place: of two that draw from one list at once, one finds that somebody was faster
and draws again. What a process has not used when its block is old, or when it stops, is given to nobody: "use decoy
entries to obfuscate the real number of Referenced Tokens" (draft-ietf-oauth-status-list-20 section 12.5.1).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ostiary.authorization_server.status_lists import signing
from ostiary.errors import Unavailable
from ostiary.model.revocation import EPOCH
from ostiary.model.status_list import StatusList, StatusListHead, StatusPlace
from ostiary.settings import Settings
from ostiary.storage.base import Storage, UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.signing_keys import SigningKeys

SIZE: Final = 131_072
"""Places of a list, the same for each, so that its size tells nothing: 16 KiB before it is compressed."""
CAPACITY: Final = SIZE // 4 * 3
"""Places that are given; then the list is full. The others are decoys, and a draw meets a free place soon."""
BLOCK_LIFE: Final = 300
"""Seconds after which a process gives no place of a block any more: the list may go when the last token has ended."""
MARGIN: Final = 3600
"""Seconds by which the clocks of nodes and verifiers may differ, with plenty to spare."""
SMALLEST_BLOCK: Final = 16
LARGEST_BLOCK: Final = 1024
_TRIES: Final = 20


@dataclass(slots=True)
class _Block:
    """Places of one list that this process may give. drawn_at: seconds since 1970; drawn: how many they were.

    epoch: of the installation, in which the list was opened.
    """

    list_id: str = ""
    epoch: int = -1
    drawn_at: float = float("inf")
    drawn: int = 0
    indexes: list[int] = field(default_factory=list)

    def good(self, now: float, epoch: int) -> bool:
        # A clock that was set back makes no block younger; and a new epoch ended every place of older lists.
        return bool(self.indexes) and self.epoch >= epoch and self.drawn_at <= now < self.drawn_at + BLOCK_LIFE


class StatusPlaces:
    """The places that this process gives."""

    def __init__(
        self, storage: Storage, signing_keys: SigningKeys, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._signing_keys = signing_keys
        self._settings = settings
        self._clock = clock
        self._block = _Block()
        self._drawing = asyncio.Lock()

    async def take(self, rev: int) -> StatusPlace:
        """A place that no other token has, for one issued at this position of the log. Raises Unavailable."""
        while not self._block.good(self._clock(), rev // EPOCH):
            block = self._block
            async with self._drawing:
                if block is self._block:
                    self._block = await self._draw(_next_size(block, self._clock()))
        return StatusPlace(self._block.list_id, self._block.indexes.pop())

    async def _draw(self, count: int) -> _Block:
        for _ in range(_TRIES):
            async with self._storage.write() as work:
                now = self._clock()
                position = (await work.positions()).revocation
                epoch = position // EPOCH
                # What a database that lost its end had given is not known, so its lists are closed for good.
                chosen = await work.status_lists.open(CAPACITY, int(now), since=epoch * EPOCH)
                chosen = chosen or await self._opened(work, position, int(now))
                given = bytearray(chosen.given)
                indexes = draw(given, min(count, CAPACITY - chosen.given_count))
                total = chosen.given_count + len(indexes)
                if await work.status_lists.give(chosen, bytes(given), total, self._wanted_until(int(now))):
                    return _Block(chosen.head.list_id, epoch, now, len(indexes), indexes)
        raise Unavailable("status lists", "other processes draw places faster than this one")

    async def _opened(self, work: UnitOfWork, position: int, now: int) -> StatusList:
        """A new list. It is published before the first token that refers to it."""
        signer = self._signing_keys.current(self._settings.keys.algorithms[0])
        list_id, statuses = secrets.token_urlsafe(12), bytes(SIZE * signing.BITS // 8)
        head = StatusListHead(
            list_id=list_id,
            kid=signer.kid,
            version=1,
            position=position,
            opened_at=position,
            renew_at=now + self._settings.status_lists.life // 2,
            expires_at=self._wanted_until(now),
        )
        token = signing.signed(self._settings, signer, list_id, statuses, now)
        made = StatusList(head, bytes(SIZE // 8), 0, statuses, token, now)
        await work.status_lists.add(made)
        return made

    def _wanted_until(self, now: int) -> int:
        return now + BLOCK_LIFE + self._settings.tokens.max_life + MARGIN


def draw(given: bytearray, count: int) -> list[int]:
    """So many random places that are not noted in ``given`` (a bit for each place), noting them there."""
    drawn: list[int] = []
    places = len(given) * 8
    while len(drawn) < count:
        index = secrets.randbelow(places)
        octet, bit = index >> 3, 1 << (index & 7)
        if not given[octet] & bit:
            given[octet] |= bit
            drawn.append(index)
    return drawn


def _next_size(last: _Block, now: float) -> int:
    """Twice as many as the last time if those were all used in time; else few, so that few are lost."""
    used_up = last.drawn and not last.indexes and last.drawn_at <= now < last.drawn_at + BLOCK_LIFE
    return min(last.drawn * 2, LARGEST_BLOCK) if used_up else SMALLEST_BLOCK
