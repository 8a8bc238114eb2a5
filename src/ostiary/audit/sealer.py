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
from pathlib import Path
from typing import Protocol

from ostiary.audit import chain
from ostiary.audit import head as heads
from ostiary.audit.audit_keys import verified_checkpoint
from ostiary.audit.checkpoint import SETTING
from ostiary.audit.export import HeadsFile
from ostiary.audit.head import Head
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.key_management.base import Signer
from ostiary.model.audit_row import AuditRow, AuditSegment
from ostiary.model.signing_key import SigningKeyUse
from ostiary.storage.base import Positions, Storage
from ostiary.storage.connection import Conflict

# Small enough that hashing and marking a segment holds up neither the event loop nor the database for long.
ROWS_PER_SEGMENT = 500
# The algorithm of the installation's audit keys.
AUDIT_ALG = "ES256"
_EXPORT_BATCH = 1000

logger = logging.getLogger("ostiary.audit")


class AuditSigners(Protocol):
    """Gives the key that signs heads now; ``SigningKeys`` does."""

    async def refresh(self, positions: Positions) -> None: ...
    def current(self, alg: str, use: SigningKeyUse) -> Signer: ...


class Sealer:
    """Seals the audit log of one database.

    signing_keys: its ``current`` may raise Unavailable.
    heads_file: where signed heads go, outside the database; None exports nothing (then a cut tail cannot be found).
    """

    def __init__(
        self,
        storage: Storage,
        signing_keys: AuditSigners,
        heads_file: Path | None,
        clock: Callable[[], float] = time.time,
        *,
        rows_per_segment: int = ROWS_PER_SEGMENT,
    ) -> None:
        self._storage = storage
        self._signing_keys = signing_keys
        self._heads_file = HeadsFile(heads_file) if heads_file is not None else None
        self._clock = clock
        self._limit = rows_per_segment
        self._trouble = ""

    async def seal_once(self) -> int:
        """One round of ``seal_all`` for a chore: a fault is logged once while it stays the same; how many rows."""
        try:
            sealed = await self.seal_all()
        except (Unavailable, ConfigurationError) as error:
            if str(error) != self._trouble:
                logger.error("audit rows stay unsealed: %s", error)
            self._trouble = str(error)
            return 0
        if self._trouble:
            logger.info("audit rows are sealed again")
            self._trouble = ""
        return sealed

    async def seal_all(self) -> int:
        """Seal what is unsealed now, export what is not exported; how many rows this process sealed.

        Raises Unavailable, and ConfigurationError: the file cannot be written, or knows more than the database.
        """
        await self._export()
        sealed, full = 0, True
        while full:
            count = await self.seal_segment()
            sealed, full = sealed + count, count == self._limit
        if sealed:
            await self._export()
        return sealed

    async def seal_segment(self) -> int:
        """Seal one segment, unless another process was quicker; how many rows it holds (0: nothing to do, or lost)."""
        async with self._storage.read() as work:
            last = await work.audit.last_segment()
            rows = await work.audit.unsealed(self._limit)
            installation = await work.setting("installation_id") or ""
            positions = await work.positions()
        if not rows:
            return 0
        # Another process may have withdrawn or rotated the key meanwhile.
        await self._signing_keys.refresh(positions)
        # Hashed and signed outside the transaction, which is everybody's; inside it only the last segment is compared.
        segment = self._build(installation, last, rows)
        try:
            async with self._storage.write() as work:
                if (await work.positions()).registry != positions.registry:
                    return 0
                if _number(await work.audit.last_segment()) != _number(last):
                    return 0
                await work.audit.seal(segment, [(row.writer, row.number) for row in rows])
        except (Conflict, LookupError):
            # Another process won between the look and the write (PostgreSQL); ours is rolled back, its rows are sealed.
            return 0
        return len(rows)

    def _build(self, installation: str, last: AuditSegment | None, rows: Sequence[AuditRow]) -> AuditSegment:
        previous = last.head if last else chain.beginning(installation)
        end = chain.link_all(previous, rows)
        now, number = int(self._clock()), _number(last) + 1
        head = Head(installation, number, len(rows), heads.text(previous), heads.text(end), heads.runs(rows), now)
        signature = heads.sign(head, self._signing_keys.current(AUDIT_ALG, "audit"))
        return AuditSegment(number, len(rows), previous, end, signature, now)

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
                checkpoint = await work.setting(SETTING)
                same = await work.audit.segments(after=after - 1, limit=1) if exported is not None else []
                missing = await work.audit.segments(after=after, limit=_EXPORT_BATCH)
            if exported is not None and not _same(exported, same):
                await self._refuse_fork(exported, checkpoint, self._heads_file)
            if not missing:
                return
            signed = [(segment.segment, segment.signature) for segment in missing]
            if exported is None and checkpoint is not None:
                signed.insert(0, ((await verified_checkpoint(self._storage, checkpoint)).segment, checkpoint))
            await asyncio.to_thread(self._heads_file.append, signed)
            if _number(last) <= missing[-1].segment:
                return
            exported = heads.unverified(missing[-1].signature)

    async def _refuse_fork(self, exported: Head, checkpoint: str | None, file: HeadsFile) -> None:
        if checkpoint is not None:
            folded = await verified_checkpoint(self._storage, checkpoint)
            if (folded.segment, folded.head) == (exported.segment, exported.head):
                return  # a crash kept all but the beginning from the file
        raise ConfigurationError(
            f"The file of audit heads {file.path} knows segment {exported.segment}, which the database lacks or tells"
            " otherwise: the database was cut or brought back from an older copy. Run `ostiary audit verify`; after"
            " `ostiary restore` with this file there would be no such gap. If the copy was meant, move the file aside,"
            " keep it as evidence, and run `ostiary admin new-epoch`."
        )


def _number(segment: AuditSegment | None) -> int:
    return segment.segment if segment else 0


def _same(exported: Head, found: Sequence[AuditSegment]) -> bool:
    """Whether the database has the segment that was exported last; it has nothing to have after a restore to none."""
    if exported.segment == 0:
        return True
    return bool(found) and found[0].segment == exported.segment and heads.text(found[0].head) == exported.head
