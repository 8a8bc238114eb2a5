"""Who knows what was revoked: the readers of the feed, by API, and up to where each has applied the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ostiary.model.api import Api, ApiState, TokenFormat
from ostiary.model.feed_reader import FeedReader
from ostiary.model.revocation import EPOCH
from ostiary.storage.base import Storage, UnitOfWork

LIVE = 60
"""Seconds: a reader that neither its node has had nor that has spoken for so long counts no more."""
_PAGE = 500


@dataclass(frozen=True, slots=True)
class ApiReaders:
    """What the readers of one API know; an API that never follows the feed has none.

    head: where the log stands. readers: how many there are; applied: how many of them have applied the position asked
    for. slowest: the lowest position that one of them has applied; behind: how many rows that is below the head.
    seen: seconds since the reader heard of longest ago was heard of. The last three are None without a reader.
    """

    identifier: str
    state: ApiState
    token_format: TokenFormat
    head: int
    readers: int
    applied: int
    slowest: int | None
    behind: int | None
    seen: int | None

    @property
    def all_applied(self) -> bool:
        """Whether it has readers, and every one of them has applied the position asked for."""
        return 0 < self.readers == self.applied


async def readers(storage: Storage, *, now: float, position: int | None = None) -> list[ApiReaders]:
    """Every API in the order of its identifier. position: the one to ask for, the head of the log if None."""
    async with storage.read() as work:
        return await readers_within(work, now=now, position=position)


async def readers_within(work: UnitOfWork, *, now: float, position: int | None = None) -> list[ApiReaders]:
    """The same within a unit of work of the caller."""
    head = (await work.positions()).revocation
    live = _by_client(await work.feed_readers.list(), int(now))
    wanted = head if position is None else position
    return [_of(api, live, head, wanted, int(now)) for api in await _apis(work)]


@dataclass(frozen=True, slots=True)
class Overall:
    """All readers together. head: where the log stands; behind: rows that the slowest has not applied.

    newest, oldest: seconds since the readers were heard of, that heard of last and that heard of longest ago; 0 without
    any.
    """

    head: int
    readers: int
    behind: int
    newest: int
    oldest: int


async def overall(storage: Storage, *, now: float) -> Overall:
    """How the readers of this installation stand, for its metrics."""
    async with storage.read() as work:
        head = (await work.positions()).revocation
        live = _live(await work.feed_readers.list(), int(now))
    ages = [max(int(now) - reader.seen_at, 0) for reader in live] or [0]
    slowest = min((reader.position for reader in live), default=head)
    return Overall(head, len(live), _behind(head, slowest), min(ages), max(ages))


def _live(found: Iterable[FeedReader], now: int) -> list[FeedReader]:
    return [reader for reader in found if reader.seen_at > now - LIVE]


def _by_client(found: Iterable[FeedReader], now: int) -> Mapping[str, list[FeedReader]]:
    live: dict[str, list[FeedReader]] = defaultdict(list)
    for reader in _live(found, now):
        live[reader.client_id].append(reader)
    return live


def _of(api: Api, live: Mapping[str, Sequence[FeedReader]], head: int, wanted: int, now: int) -> ApiReaders:
    own = live.get(api.client_id or "", ())
    slowest = min((reader.position for reader in own), default=None)
    return ApiReaders(
        identifier=api.identifier,
        state=api.state,
        token_format=api.token_format,
        head=head,
        readers=len(own),
        applied=sum(reader.position >= wanted for reader in own),
        slowest=slowest,
        behind=None if slowest is None else _behind(head, slowest),
        # Clocks of nodes differ a little, so one may have been seen in the future.
        seen=max((max(now - reader.seen_at, 0) for reader in own), default=None),
    )


def _behind(head: int, position: int) -> int:
    """Rows between the two; an epoch begins far above the last position of the one before."""
    return max(head - max(position, head // EPOCH * EPOCH - 1), 0)


async def _apis(work: UnitOfWork) -> list[Api]:
    found: list[Api] = []
    while page := await work.apis.list(after=found[-1].identifier if found else "", limit=_PAGE):
        found += page
    return found
