"""What the file of heads vouches for, each line verified: which head each segment of the log must have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ostiary.audit import head as heads
from ostiary.audit.audit_keys import AuditKeys
from ostiary.audit.export import HeadsFile
from ostiary.audit.head import Head
from ostiary.audit.report import Report, Restored
from ostiary.errors import VerificationError

_TYPES = (heads.CHECKPOINT_TYP, heads.RESTORE_TYP)


@dataclass(slots=True)
class Exported:
    """heads: by segment; folded_to: up to which one a checkpoint speaks, so that older ones need not be there."""

    heads: dict[int, Head] = field(default_factory=dict)
    folded_to: int = 0

    @classmethod
    def read(cls, file: HeadsFile, keys: AuditKeys, report: Report) -> Exported:
        """What ``file`` tells; what is wrong with it, and each restore that it tells of, goes into ``report``."""
        reading = _Reading(file, keys, report)
        for number, line in _whole_lines(file.lines()):
            reading.line(number, line)
        for numbers in reading.doubtful.values():
            for number, problem in numbers:
                reading.damaged(number, problem)
        return reading.exported


class _Reading:
    """doubtful: lines by keys that the database does not know, by segment. They are damage, unless a restore follows
    that cut them off: the keys of the lost time are lost with it."""

    def __init__(self, file: HeadsFile, keys: AuditKeys, report: Report) -> None:
        self.exported = Exported()
        self.doubtful: dict[int, list[tuple[int, str]]] = {}
        self._file, self._keys, self._report = file, keys, report
        self._before = ""  # the head that the last line tells

    def line(self, number: int, line: str) -> None:
        """Take in one line."""
        try:
            typ = heads.typ_of(line)
            head = heads.verify(line, self._keys.all, typ=typ if typ in _TYPES else heads.TYP)
        except VerificationError as error:
            self._refused(number, line, error)
            return
        if typ == heads.RESTORE_TYP:
            self._restore(number, head)
        else:
            self._head(number, head, folded=typ == heads.CHECKPOINT_TYP)
        self._before = head.head

    def _refused(self, number: int, line: str, error: VerificationError) -> None:
        if error.check != "key":
            self.damaged(number, f"{error.public}.")
            return
        told = heads.unverified(line)
        self.doubtful.setdefault(told.segment, []).append((number, f"{error.public}."))
        self._before = told.head

    def _head(self, number: int, head: Head, *, folded: bool) -> None:
        known = self.exported.heads
        if head.segment in known and known[head.segment].head != head.head:
            self._told_otherwise(number, head)
        elif folded:
            self.exported.folded_to = max(self.exported.folded_to, head.segment)
            known.setdefault(head.segment, head)
        else:
            known[head.segment] = head

    def _restore(self, number: int, head: Head) -> None:
        known = self.exported.heads
        # Signed for this very place: one that was copied from another names another line before it.
        if head.previous_head != self._before:
            self.damaged(number, "a restore that was signed for another place.")
            return
        if head.segment in known and known[head.segment].head != head.head:
            self._told_otherwise(number, head)
            return
        lost = sorted(segment for segment in {*known, *self.doubtful} if segment > head.segment)
        for segment in lost:
            known.pop(segment, None)
            self.doubtful.pop(segment, None)
        if head.segment:
            known.setdefault(head.segment, head)
        self.exported.folded_to = min(self.exported.folded_to, head.segment)
        first, last = (lost[0], lost[-1]) if lost else (0, 0)
        self._report.restores.append(Restored(head.at, head.segment, first, last, head.rows))

    def _told_otherwise(self, number: int, head: Head) -> None:
        what = f"Line {number} of {self._file.path} tells segment {head.segment} otherwise."
        self._report.add("heads_damaged", f"line {number}", what)

    def damaged(self, number: int, problem: str) -> None:
        """Find a line damaged."""
        self._report.add("heads_damaged", f"line {number}", f"Line {number} of {self._file.path}: {problem}")


def _whole_lines(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Each line with its number, without those that a crash tore: true beginnings of the line after them."""
    previous = ""
    number = 0
    for line in lines:
        if previous and not (line.startswith(previous) and line != previous):
            yield number, previous
        number += 1
        previous = line
    if previous:
        yield number, previous
