"""Seals audit rows into one chain: gives them places, links them, signs the head, exports it.

Any process may try; the database decides who wins: a segment is written only if the last segment is still the one that
was built upon. The head is exported after the commit; what a crash kept from the file is exported by the next one who
tries. A file that knows more than the database stops the sealing: going on would bury the loss.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from ostiary.audit import chain
from ostiary.audit import head as heads
from ostiary.audit.export import HeadsFile
from ostiary.audit.head import Head
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.model.audit_row import AuditRow, AuditSegment
from ostiary.protocol.jws import SigningPort
from ostiary.storage.base import Storage

# Small enough that hashing and marking a segment holds up neither the event loop nor the database for long.
ROWS_PER_SEGMENT = 500
INTERVAL = 0.5
_EXPORT_BATCH = 1000

logger = logging.getLogger("ostiary.audit")


class Sealer:
    """Seals the audit log of one database.

    signer: gives the audit key that signs now (``SigningKeys.current(alg, use="audit")``); may raise Unavailable.
    heads_file: where signed heads go, outside the database; None exports nothing (then a cut tail cannot be found).
    """

    def __init__(
        self,
        storage: Storage,
        signer: Callable[[], SigningPort],
        heads_file: HeadsFile | None,
        *,
        clock: Callable[[], float] = time.time,
        rows_per_segment: int = ROWS_PER_SEGMENT,
    ) -> None:
        self._storage = storage
        self._signer = signer
        self._heads_file = heads_file
        self._clock = clock
        self._limit = rows_per_segment

    async def run(self, stop: asyncio.Event, *, interval: float = INTERVAL) -> None:
        """Seal and export every ``interval`` seconds until ``stop`` is set, and once more then; outlives faults."""
        trouble = ""
        while True:
            stopping = stop.is_set()
            trouble = await self._try(trouble)
            if stopping:
                return
            try:
                await asyncio.wait_for(stop.wait(), interval)
            except TimeoutError:
                continue

    async def seal_all(self) -> int:
        """Seal what is unsealed now, export what is not exported; how many rows this process sealed."""
        sealed = 0
        while True:
            await self._export()
            count = await self.seal_once()
            sealed += count
            if count < self._limit:
                if count:
                    await self._export()
                return sealed

    async def seal_once(self) -> int:
        """Seal one segment, unless another process was quicker; how many rows it holds (0: nothing to do, or lost)."""
        async with self._storage.read() as work:
            last = await work.audit.last_segment()
            rows = await work.audit.unsealed(self._limit)
            installation = await work.setting("installation_id") or ""
        if not rows:
            return 0
        # Hashed and signed outside the transaction, which is everybody's; inside it only the last segment is compared.
        segment = self._build(installation, last, rows)
        async with self._storage.write() as work:
            if _number(await work.audit.last_segment()) != _number(last):
                return 0
            await work.audit.seal(segment, [(row.writer, row.number) for row in rows])
        return len(rows)

    def _build(self, installation: str, last: AuditSegment | None, rows: Sequence[AuditRow]) -> AuditSegment:
        previous = last.head if last else chain.beginning(installation)
        end = chain.link_all(previous, rows)
        now, number = int(self._clock()), _number(last) + 1
        head = Head(installation, number, len(rows), heads.text(previous), heads.text(end), heads.runs(rows), now)
        return AuditSegment(number, len(rows), previous, end, heads.sign(head, self._signer()), now)

    async def _export(self) -> None:
        """Append to the file what the database has and the file has not; refuse if the file knows better."""
        if self._heads_file is None:
            return
        # The file first: heads reach it after their commit, so it can never be ahead of what is read afterwards.
        exported = await asyncio.to_thread(self._heads_file.last)
        while True:
            async with self._storage.read() as work:
                last = await work.audit.last_segment()
                after = exported.segment if exported else 0
                if exported is not None:
                    same = await work.audit.segments(after=after - 1, limit=1)
                    _refuse_fork(exported, same, self._heads_file)
                missing = await work.audit.segments(after=after, limit=_EXPORT_BATCH)
            if not missing:
                return
            signed = [(segment.segment, segment.signature) for segment in missing]
            await asyncio.to_thread(self._heads_file.append, signed)
            if _number(last) <= missing[-1].segment:
                return
            exported = heads.unverified(missing[-1].signature)

    async def _try(self, trouble: str) -> str:
        """One round; a fault is logged once, as long as it stays the same, and tried again."""
        try:
            await self.seal_all()
        except (Unavailable, ConfigurationError) as error:
            if str(error) != trouble:
                logger.error("audit rows stay unsealed: %s", error)
            return str(error)
        if trouble:
            logger.info("audit rows are sealed again")
        return ""


def _number(segment: AuditSegment | None) -> int:
    return segment.segment if segment else 0


def _refuse_fork(exported: Head, found: Sequence[AuditSegment], file: HeadsFile) -> None:
    if found and found[0].segment == exported.segment and heads.text(found[0].head) == exported.head:
        return
    raise ConfigurationError(
        f"The file of audit heads {file.path} knows segment {exported.segment}, which the database lacks or tells"
        " otherwise: the database was cut or restored from an older copy. Run `ostiary audit verify`; if the restore"
        " was meant, move the file aside and keep it as evidence."
    )
