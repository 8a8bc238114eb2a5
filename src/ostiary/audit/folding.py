"""Folds the segments whose rows retention has dropped into one signed checkpoint, in the database and in the file.

Segments without rows would stay for good, hundreds of bytes each, a hundred thousand on a busy day. Before they go,
each is verified once more and compared with its exported head: what is wrong is never folded away. The database is
changed first and the file after it: a file that reaches further back than the database still vouches for it, and the
next round rewrites it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import takewhile

from ostiary.audit import checkpoint as checkpoints
from ostiary.audit import head as heads
from ostiary.audit.audit_keys import AuditKeys, verified_checkpoint
from ostiary.audit.checkpoint import SETTING
from ostiary.audit.export import HeadsFile
from ostiary.audit.head import Head
from ostiary.audit.sealer import AUDIT_ALG, AuditSigners
from ostiary.errors import ConfigurationError, Unavailable, VerificationError
from ostiary.model.audit_row import AuditSegment
from ostiary.storage.base import Positions, Storage

BATCH = 500  # segments verified and folded at once; the work between two commits is a fraction of a second


class Folding:
    """One round. heads_file: None if none is written; then nothing but the signatures can be compared."""

    def __init__(
        self, storage: Storage, signing_keys: AuditSigners, heads_file: HeadsFile | None, *, batch: int = BATCH
    ) -> None:
        self._storage = storage
        self._signing_keys = signing_keys
        self._file = heads_file
        self._batch = batch

    async def fold(self) -> int:
        """Fold whatever was dropped and is exported, and let the file begin with the checkpoint; how many segments.

        The last segment and the last exported one stay: the next is built upon the one and compared with the other.
        Raises Unavailable, and ConfigurationError: a segment or the checkpoint does not verify, or the file cannot be
        rewritten, or it tells the last segment of the checkpoint otherwise.
        """
        exported: Head | None = None
        lines: Iterator[Head] = iter(())
        if self._file is not None:
            exported = await asyncio.to_thread(self._file.last)
            if exported is None:
                return 0  # nobody outside the database vouches for anything yet
            lines = self._file.heads()
        keys = await AuditKeys.load(self._storage)
        folded = 0
        while count := await self._fold_batch(keys, exported, lines):
            folded += count
        await self._rewrite()
        return folded

    async def _fold_batch(self, keys: AuditKeys, exported: Head | None, lines: Iterator[Head]) -> int:
        async with self._storage.read() as work:
            standing = await work.setting(SETTING)
            installation = await work.setting("installation_id") or ""
            last = await work.audit.last_segment()
            positions = await work.positions()
            after = heads.unverified(standing).segment if standing else 0
            segments = await work.audit.segments(after=after, limit=self._batch)
        end = min(last.segment if last else 0, exported.segment if exported else 2**62)
        batch = list(takewhile(lambda one: one.dropped_at is not None and one.segment < end, segments))
        if not batch:
            return 0
        try:
            made = await asyncio.to_thread(_verified, standing, batch, installation, keys, lines, exported is not None)
        except VerificationError as error:
            raise ConfigurationError(
                f"The audit log is not folded: {error.public}. Run `ostiary audit verify`, which says what is wrong."
            ) from error
        return len(batch) if await self._replace(standing, made, len(batch), positions) else 0

    async def _replace(self, standing: str | None, made: Head, count: int, positions: Positions) -> bool:
        await self._signing_keys.refresh(positions)
        signed = checkpoints.sign(made, self._signing_keys.current(AUDIT_ALG, "audit"))
        async with self._storage.write() as work:
            # Another process may have withdrawn the key, or folded, meanwhile: then the next round does it.
            if (await work.positions()).registry != positions.registry or await work.setting(SETTING) != standing:
                return False
            if await work.audit.fold(made.segment) != count:
                raise Unavailable("audit", "another process folds the same segments")
            await work.set_setting(SETTING, signed)
        return True

    async def _rewrite(self) -> None:
        if self._file is None:
            return
        async with self._storage.read() as work:
            standing = await work.setting(SETTING)
        if standing is not None:
            folded = await verified_checkpoint(self._storage, standing)
            await asyncio.to_thread(self._file.begin_with, folded.segment, standing)


def _verified(
    standing: str | None,
    batch: list[AuditSegment],
    installation: str,
    keys: AuditKeys,
    lines: Iterator[Head],
    compared: bool,
) -> Head:
    """The checkpoint after ``batch``. Raises VerificationError."""
    before = heads.verify(standing, keys.all, typ=heads.CHECKPOINT_TYP) if standing else None
    made = checkpoints.extended(before, batch, installation, keys)
    if not compared:
        return made
    told = {one.segment: heads.text(one.head) for one in batch}
    if before is not None:
        told[before.segment] = before.head
    met = 0
    for exported in lines:
        if told.get(exported.segment, exported.head) != exported.head:
            raise VerificationError("heads", f"segment {exported.segment} is not the one whose head was exported")
        met = exported.segment
        if met >= made.segment:
            break
    if met != made.segment:
        raise VerificationError("heads", f"the file of heads lacks segment {made.segment}")
    return made
