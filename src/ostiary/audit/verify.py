"""Verifies the audit log against its signatures and against the heads that were exported outside the database.

The truth about a segment is what its signature says: rows and columns are compared with the signed head, and the signed
heads with the exported ones. Whoever can change the database but neither signs with the audit key nor writes the file
of heads is found out; what nobody can find is a cut of rows that were never exported and whose writer is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ostiary.audit import chain
from ostiary.audit import head as heads
from ostiary.audit.audit_keys import AuditKeys
from ostiary.audit.checkpoint import SETTING
from ostiary.audit.export import HeadsFile
from ostiary.audit.exported import Exported
from ostiary.audit.head import Head
from ostiary.audit.report import Report
from ostiary.audit.rows import RowChecks, readable
from ostiary.errors import VerificationError
from ostiary.model.audit_row import AuditSegment
from ostiary.storage.base import Storage, UnitOfWork

# How long a row may wait for its seal, and a sealed segment for its export, before that is a finding of its own.
GRACE = 60
_SEGMENTS_AT_ONCE = 200
_UNSEALED_AT_ONCE = 10_000_000

Progress = Callable[[int], None]


async def verify(
    storage: Storage,
    heads_file: HeadsFile | None,
    keys: AuditKeys | None = None,
    *,
    clock: Callable[[], float] = time.time,
    progress: Progress | None = None,
) -> Report:
    """Look at every segment and row; the report says what is wrong.

    keys: the audit keys to trust; by default those that the database knows.
    progress: called with the number of rows verified so far. Raises Unavailable and ConfigurationError.
    """
    report = Report()
    # The file before the database: heads reach it after their commit, so it is never ahead of an honest database.
    if keys is None:
        keys = await AuditKeys.load(storage)
    exported = Exported.read(heads_file, keys, report) if heads_file else Exported()
    async with storage.read() as work:
        installation = await work.setting("installation_id") or ""
        run = _Run(work, report, keys, exported.heads, exported.folded_to, installation, int(clock()), progress)
        await run.sealed()
        await run.unsealed()
    run.conclude(heads_file is not None)
    return report


@dataclass(slots=True)
class _Run:
    """One way through the log, in the order of the chain."""

    work: UnitOfWork
    report: Report
    keys: AuditKeys
    exported: Mapping[int, Head]
    folded_to: int
    installation: str
    now: int
    progress: Progress | None
    last: int = 0
    head: bytes = b""
    begun_at: int = 0
    dropped_to: int = 0
    not_exported_since: int | None = None
    rows: RowChecks = field(default_factory=RowChecks)

    async def sealed(self) -> None:
        """Every segment with its rows."""
        self.head = chain.beginning(self.installation)
        await self._checkpoint()
        while segments := await self.work.audit.segments(after=self.last, limit=_SEGMENTS_AT_ONCE):
            for segment in segments:
                await self._segment(segment)
                if self.progress is not None:
                    self.progress(self.report.rows)
        await self._strays()

    async def _checkpoint(self) -> None:
        """Begin where the checkpoint ends, if segments were folded into one."""
        token = await self.work.setting(SETTING)
        if token is None:
            return
        try:
            folded = heads.verify(token, self.keys.all, typ=heads.CHECKPOINT_TYP)
            head, withdrawn = heads.digest(folded.head), heads.kid_of(token) in self.keys.withdrawn
        except VerificationError as error:
            self.report.add("checkpoint_signature", "checkpoint", f"The checkpoint: {error.public}.")
            return
        where = f"segment {folded.segment}"
        if folded.installation != self.installation:
            self.report.add("checkpoint_signature", "checkpoint", "The checkpoint is of another installation.")
            return
        exported = self.exported.get(folded.segment)
        if exported is not None and exported.head != folded.head:
            what = f"The checkpoint speaks of another segment {folded.segment} than the one whose head was exported."
            self.report.add("head_differs", where, what)
        elif exported is None and withdrawn:
            what = "The checkpoint was signed by a withdrawn key, and no exported head vouches for it."
            self.report.add("segment_withdrawn_key", where, what)
        elif exported is None and self.exported:
            what = f"The file of heads does not reach back to segment {folded.segment}, where the checkpoint ends."
            self.report.add("heads_missing", where, what)
        self.last = self.begun_at = self.dropped_to = self.report.dropped = folded.segment
        self.head = head
        self.rows.numbers.add_all(folded.writers)
        self._vouched_after(folded.segment, folded.at)

    async def _strays(self) -> None:
        """Rows of segments that were folded away, or that never were, belong to nothing that is signed."""
        for writer, number, segment in await self.work.audit.strays(self.begun_at + 1, self.last):
            what = f"Row {writer}:{number} calls itself a row of segment {segment}, which there is not."
            self.report.add("row_inserted", f"segment {segment}", what)

    def _vouched_after(self, segment: int, at: int) -> None:
        self.report.vouched_from, self.report.vouched_since = segment + 1, at

    async def unsealed(self) -> None:
        """Name the rows that no segment seals yet."""
        rows, damaged = await readable(self.work.audit.unsealed(_UNSEALED_AT_ONCE))
        if damaged:
            self.report.add("rows_altered", "unsealed rows", "An unsealed row cannot be read: it was altered.")
        self.report.unsealed = len(rows)
        self.report.unsealed_since = rows[0].at if rows else None
        self.rows.collect(rows, heads.runs(rows), self.report)
        if rows and rows[0].at < (self.now - GRACE) * 1000:
            what = f"{len(rows)} rows have no seal, the oldest for {self.now - rows[0].at // 1000} seconds."
            self.report.add("sealing_behind", "unsealed rows", what)

    def conclude(self, has_file: bool) -> None:
        """What only the whole shows: gaps, erasures and drops without a record, a cut tail, a short file of heads."""
        self.report.exported = end = max(self.exported, default=0)
        if end > self.last:
            self._take_from_heads(self.last + 1, end)
            what = f"Segments {self.last + 1} to {end} were exported, but the database ends with {self.last}."
            self.report.add("cut_off", f"segment {self.last + 1}", what)
        self.rows.conclude(self.report, self.dropped_to)
        behind = self.not_exported_since
        if has_file and behind is not None and behind < self.now - GRACE:
            what = f"The file of heads lacks {self.report.not_exported} segments that were sealed long ago."
            self.report.add("heads_missing", f"segment {self._first_not_exported()}", what)

    async def _segment(self, segment: AuditSegment) -> None:
        if segment.segment != self.last + 1:
            what = f"Segments {self.last + 1} to {segment.segment - 1} are missing."
            self.report.add("segment_missing", f"segment {self.last + 1}", what)
            self._take_from_heads(self.last + 1, segment.segment - 1)
            self.head = segment.previous_head
        self.last = segment.segment
        signed = self._signed(segment)
        self._exported(segment)
        if segment.previous_head != self.head:
            what = f"Segment {segment.segment} does not build on the segment before it."
            self.report.add("segment_chain", f"segment {segment.segment}", what)
        self.head = segment.head
        if segment.dropped_at is not None:
            await self._dropped(segment, signed)
        else:
            self.report.segments += 1
            await self._rows(segment, signed)

    def _signed(self, segment: AuditSegment) -> Head | None:
        """What the signature says of the segment, compared with the columns beside it."""
        where = f"segment {segment.segment}"
        try:
            head = heads.verify(segment.signature, self.keys.all)
        except VerificationError as error:
            self.report.add("segment_signature", where, f"The signature of segment {segment.segment}: {error.public}.")
            return None
        if heads.of_columns(segment, self.installation, head.writers) != head:
            what = f"Segment {segment.segment} differs from what its signature says."
            self.report.add("segment_altered", where, what)
            return None
        exported = self.exported.get(segment.segment)
        vouched = exported is not None and exported.head == head.head
        if heads.kid_of(segment.signature) in self.keys.withdrawn and not vouched:
            what = f"Segment {segment.segment} was signed by a withdrawn key, and no exported head vouches for it."
            self.report.add("segment_withdrawn_key", where, what)
        return head

    def _exported(self, segment: AuditSegment) -> None:
        exported = self.exported.get(segment.segment)
        if exported is None and segment.segment < self.folded_to:
            return  # older than the file, as after a restore: the chain leads to the head of the file's checkpoint
        if exported is None:
            self.report.not_exported += 1
            if self.not_exported_since is None:
                self.not_exported_since = segment.sealed_at
        elif exported.head != heads.text(segment.head):
            what = f"Segment {segment.segment} is not the one whose head was exported."
            self.report.add("head_differs", f"segment {segment.segment}", what)

    async def _dropped(self, segment: AuditSegment, signed: Head | None) -> None:
        where = f"segment {segment.segment}"
        if self.report.segments:
            self.report.add("dropped_out_of_order", where, f"{where.capitalize()} was dropped before older ones.")
        if await self.work.audit.rows_of(segment.segment):
            self.report.add("row_inserted", where, f"{where.capitalize()} was dropped, yet it has rows.")
        self.report.dropped += 1
        self.dropped_to = segment.segment
        self._vouched_after(segment.segment, segment.sealed_at)
        if signed is not None:
            self.rows.numbers.add_all(signed.writers)

    async def _rows(self, segment: AuditSegment, signed: Head | None) -> None:
        rows, damaged = await readable(self.work.audit.rows_of(segment.segment))
        if damaged:
            what = f"A row of segment {segment.segment} cannot be read: it was altered."
            self.report.add("rows_altered", f"segment {segment.segment}", what)
            if signed is not None:
                self.rows.numbers.add_all(signed.writers)
            return
        self.report.rows += len(rows)
        self.rows.compare(segment, rows, signed, self.report)

    def _take_from_heads(self, first: int, last: int) -> None:
        """Count the numbers of missing segments as known, so that one loss is not told twice, as gaps of writers."""
        for number in range(first, last + 1):
            if number in self.exported:
                self.rows.numbers.add_all(self.exported[number].writers)

    def _first_not_exported(self) -> int:
        begun_at = max(self.begun_at, self.folded_to)
        return next(number for number in range(begun_at + 1, self.last + 1) if number not in self.exported)
