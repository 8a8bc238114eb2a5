"""The rows of a segment beside its signed head, and what only all rows together show."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from itertools import pairwise

import msgspec

from ostiary.audit import chain, tags
from ostiary.audit import head as heads
from ostiary.audit.head import Head, Ranges
from ostiary.audit.report import Report
from ostiary.audit.writers import WriterNumbers
from ostiary.model.audit_row import AuditRow, AuditSegment


async def readable(reading: Awaitable[list[AuditRow]]) -> tuple[list[AuditRow], bool]:
    """The rows, and whether they could not be taken for rows at all (a column was given another form)."""
    try:
        rows = await reading
        for row in rows:
            chain.canonical(row)
    except (msgspec.MsgspecError, AttributeError, TypeError, ValueError):
        return [], True
    return rows, False


class RowChecks:
    """Compares rows with signed heads and remembers, in runs, which numbers, erasures and drops it met."""

    def __init__(self) -> None:
        self.numbers = WriterNumbers()
        self._erased: set[str] = set()
        self._recorded_erasures: set[str] = set()
        self._recorded_drop = 0

    def compare(self, segment: AuditSegment, rows: Sequence[AuditRow], signed: Head | None, report: Report) -> None:
        """Find what differs: a removed or inserted row is named; a change within a row is named by its segment."""
        found = heads.runs(rows)
        self.collect(rows, signed.writers if signed else found, report)
        where = f"segment {segment.segment}"
        if signed is not None and found != signed.writers:
            self._name_differences(where, found, signed.writers, report)
        elif chain.link_all(segment.previous_head, rows) != segment.head:
            ordered = sorted(rows, key=lambda row: (row.at, row.writer, row.number))
            if chain.link_all(segment.previous_head, ordered) == segment.head:
                report.add("rows_reordered", where, f"The rows of {where} stand in another order than was sealed.")
            elif signed is not None:
                what = f"One or more of the {len(rows)} rows of {where} ({_span(rows)}) are not what was sealed."
                report.add("rows_altered", where, what)
        elif any(after.place != (before.place or 0) + 1 for before, after in pairwise(rows)) or rows[0].place != 0:
            report.add("rows_reordered", where, f"The places of the rows of {where} are not 0, 1, 2, ...")

    def collect(self, rows: Sequence[AuditRow], numbers: Mapping[str, Ranges], report: Report) -> None:
        """Remember the numbers; check personal data against their digests; note recorded erasures and drops."""
        self.numbers.add_all(numbers)
        for row in rows:
            self._personal(row, report)
            if row.tag == tags.AUDIT_ERASED:
                self._recorded_erasures.update(row.details.get("rows", "").split())
            elif row.tag == tags.AUDIT_DROPPED:
                last = row.details.get("last", "")
                self._recorded_drop = max(self._recorded_drop, int(last) if last.isdecimal() else 0)

    def conclude(self, report: Report, dropped_to: int) -> None:
        """Report gaps, and erasures and drops that no event records."""
        for writer, first, last in self.numbers.gaps():
            what = f"Rows {first} to {last} of writer {writer} are missing, which no segment seals."
            report.add("writer_gap", f"{writer}:{first}", what)
        for name in sorted(self._erased - self._recorded_erasures):
            what = f"The personal data of row {name} are gone, and no event records their erasure."
            report.add("personal_unrecorded_erasure", name, what)
        if dropped_to > self._recorded_drop:
            what = f"The rows of the segments up to {dropped_to} are gone, and no event records that."
            report.add("dropped_unrecorded", f"segment {dropped_to}", what)

    def _personal(self, row: AuditRow, report: Report) -> None:
        name = f"{row.writer}:{row.number}"
        if row.personal is None and row.personal_salt is None:
            if row.personal_digest is not None:
                self._erased.add(name)
            return
        good = (
            row.personal is not None
            and row.personal_salt is not None
            and row.personal_digest == chain.personal_digest(row.personal_salt, row.personal)
        )
        if not good:
            report.add("personal_altered", name, f"The personal data of row {name} are not what its digest says.")

    @staticmethod
    def _name_differences(
        where: str, found: Mapping[str, Ranges], signed: Mapping[str, Ranges], report: Report
    ) -> None:
        present, sealed = _numbers(found), _numbers(signed)
        for writer, number in sorted(sealed - present):
            report.add("row_removed", f"{writer}:{number}", f"Row {writer}:{number} of {where} was removed.")
        for writer, number in sorted(present - sealed):
            report.add("row_inserted", f"{writer}:{number}", f"Row {writer}:{number} was put into {where}.")


def _numbers(runs: Mapping[str, Ranges]) -> set[tuple[str, int]]:
    return {(writer, n) for writer, found in runs.items() for first, last in found for n in range(first, last + 1)}


def _span(rows: Sequence[AuditRow]) -> str:
    if not rows:
        return "none"
    first, last = rows[0], rows[-1]
    return f"{first.writer}:{first.number} to {last.writer}:{last.number}"
