"""Keeps what is published of the Token Status Lists true: anew within a second of a revocation, and in good time.

No revocation knows of status lists. Every act that ends tokens leaves a row in the revocation log; this chore reads the
rows that are new, finds the tokens they end among those that have a place, and publishes the lists these stand in.
A token may be committed a moment after a revocation that ends it (its ``rev`` is lower); so each row is read again
after ``SOON`` and after ``SETTLING`` seconds, and only then counted as done. A status once INVALID stays so.

A new epoch of the installation ends every place of every list of the ones before, also places of which the database
lost that it had given them.

A list is signed outside the transaction; storage keeps the one whose version is the next, so of two nodes that publish
at the same time one wins, and the other looks again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ostiary.authorization_server.status_lists import signing
from ostiary.model.revocation import Revocation
from ostiary.model.status_list import StatusList, StatusListHead
from ostiary.model.token import TAKEN_BEYOND_ITS_END
from ostiary.protocol.status_list import INVALID
from ostiary.storage.base import UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

SOON: Final = 2.0
SETTLING: Final = 30.0
_NEVER: Final = float("inf")
_PAGE: Final = 1000
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Ended:
    """What new rows end: places, by list; and every place of the lists that were opened below a position."""

    places: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    opened_below: int = 0

    def touches(self, head: StatusListHead) -> bool:
        return head.list_id in self.places or head.opened_at < self.opened_below

    def applied_to(self, found: StatusList) -> bytes:
        """The statuses of the list as they are now."""
        if found.head.opened_at < self.opened_below:
            return b"\xff" * len(found.statuses)
        statuses = bytearray(found.statuses)
        for index in self.places.get(found.head.list_id, ()):
            statuses[index >> 3] |= INVALID << (index & 7)
        return bytes(statuses)


class StatusListPublisher:
    """For a chore every half second: while nothing was revoked and no list is due, it costs one small reading."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server
        # Up to ``_done`` every row was read when no token could come any more; ``_seen`` was the end of the log when it
        # was last read. It is read again at ``_again_at``, and at ``_settled_at`` all up to ``_settling`` is done.
        self._done: int | None = None
        self._seen = -1
        self._again_at = _NEVER
        self._settling = 0
        self._settled_at = _NEVER
        self._overtaken = False

    async def publish(self) -> int:
        """Publish the lists that are due; how many. Raises Unavailable."""
        server = self._server
        position = (await server.registry.current()).revocation
        now = server.clock()
        async with server.storage.read() as work:
            heads = await work.status_lists.heads(int(now))
            if self._done is None:
                self._done = min((head.position for head in heads), default=position)
            settled = now >= self._settled_at
            due = settled or now >= self._again_at or position != self._seen
            ended = await self._newly_ended(work, now) if heads and due else _Ended()
        self._overtaken = False
        made = 0
        for head in heads:
            made += await self._renew(head, ended, int(now))
        if not self._overtaken:
            # Only now: had publishing failed, the rows would count as done, and their tokens as valid for good.
            self._note(position, settled=settled, now=now)
        return made

    def _note(self, position: int, *, settled: bool, now: float) -> None:
        if settled:
            self._done, self._settled_at = self._settling, _NEVER
        if position != self._done and self._settled_at == _NEVER:
            self._settling, self._settled_at = position, now + SETTLING
        if position != self._seen:
            self._again_at = now + SOON
        elif now >= self._again_at:
            self._again_at = _NEVER
        self._seen = position

    async def _newly_ended(self, work: UnitOfWork, now: float) -> _Ended:
        """What the rows above ``_done`` end."""
        ended = _Ended()
        after = self._done or 0
        while rows := await work.revocations.since(after, limit=_PAGE):
            for row in rows:
                await _collect(work, row, now, ended)
            after = rows[-1].position
        return ended

    async def _renew(self, head: StatusListHead, ended: _Ended, now: int) -> int:
        """Publish the list anew if it has to be; whether it was."""
        signer = self._server.signing_keys.current(self._server.settings.keys.algorithms[0])
        # By another key too: a withdrawn one vouches for nothing any more.
        due = now >= head.renew_at or head.kid != signer.kid
        if not due and not ended.touches(head):
            return 0
        async with self._server.storage.read() as work:
            found = await work.status_lists.get(head.list_id)
        if found is None:
            return 0
        statuses = ended.applied_to(found)
        if not due and statuses == found.statuses:
            return 0
        settings = self._server.settings
        token = signing.signed(settings, signer, head.list_id, statuses, now)
        renewed = replace(
            found.head,
            kid=signer.kid,
            version=found.head.version + 1,
            position=self._done or 0,
            renew_at=now + settings.status_lists.life // 2,
        )
        async with self._server.storage.write() as work:
            kept = await work.status_lists.publish(renewed, statuses, token)
        if not kept:
            # Another node was faster, perhaps without what is new here: everything is looked at again.
            self._overtaken = True
            _log.info("the status list %s was published by another node at the same time", head.list_id)
        return int(kept)


async def _collect(work: UnitOfWork, row: Revocation, now: float, ended: _Ended) -> None:
    if row.kind == "installation":
        ended.opened_below = max(ended.opened_below, row.position)
        return
    # Verifiers take a token somewhat beyond its end, and look into its list then, too.
    async for places in work.status_lists.ended_by(row, now=int(now) - TAKEN_BEYOND_ITS_END):
        for place in places:
            ended.places[place.list_id].add(place.index)
