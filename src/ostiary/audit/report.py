"""What a verification of the audit log found: each finding names what is wrong, where, and what to do about it."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "row_removed",
    "row_inserted",
    "rows_altered",
    "rows_reordered",
    "personal_altered",
    "personal_unrecorded_erasure",
    "writer_gap",
    "segment_missing",
    "segment_altered",
    "segment_signature",
    "segment_chain",
    "segment_withdrawn_key",
    "checkpoint_signature",
    "dropped_unrecorded",
    "dropped_out_of_order",
    "head_differs",
    "cut_off",
    "heads_damaged",
    "heads_missing",
    "sealing_behind",
]

_RESTORE = "compare with a backup that is older than the change, and find out who can write the database"
_HEADS = "restore the file of heads from where it is copied to, and find out who can write it"

MENDS: dict[Kind, str] = {
    "row_removed": _RESTORE,
    "row_inserted": _RESTORE,
    "rows_altered": _RESTORE,
    "rows_reordered": _RESTORE,
    "personal_altered": _RESTORE,
    "personal_unrecorded_erasure": "erase with `ostiary audit erase`, which records what it erases; " + _RESTORE,
    "writer_gap": _RESTORE,
    "segment_missing": _RESTORE,
    "segment_altered": _RESTORE,
    "segment_signature": "look for a forged segment or a changed audit key; " + _RESTORE,
    "segment_chain": _RESTORE,
    "segment_withdrawn_key": "the key is compromised and the head was never exported: do not rely on this segment",
    "checkpoint_signature": "look for a forged checkpoint or a changed audit key; " + _RESTORE,
    "dropped_unrecorded": "drop with `ostiary audit prune`, which records what it drops; " + _RESTORE,
    "dropped_out_of_order": _RESTORE,
    "head_differs": "the database was rewritten, or restored and written on: " + _RESTORE,
    "cut_off": "the database was cut or brought back from an older copy otherwise than by `ostiary restore`, or this"
    " is a copy of the file from before it: " + _RESTORE,
    "heads_damaged": _HEADS,
    "heads_missing": "see why the server cannot write the file (its log says), or: " + _HEADS,
    "sealing_behind": "start the server, and look into its log for what keeps it from sealing",
}


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    kind: stable name; where: the segment, the row (``writer:number``) or the line of the heads file; what: a sentence;
    mend: what to do.
    """

    kind: Kind
    where: str
    what: str
    mend: str


class Restored(msgspec.Struct, frozen=True):
    """A restore that the file of heads tells of, and signed: at (seconds since the epoch), with which segment the log
    went on, and which ones, with how many rows, it cut off (0 and 0: none that were exported)."""

    at: int
    after: int
    first_lost: int
    last_lost: int
    rows_lost: int


class Report(msgspec.Struct):
    """The findings and what was looked at.

    rows, segments: how many were verified; dropped: segments whose rows retention has dropped, folded ones among them;
    vouched_from: the first segment whose rows could be looked at; vouched_since: when the one before it was sealed
    (seconds since the epoch), None if there is none; unsealed: rows that no
    segment seals yet, unsealed_since: the time of the oldest (milliseconds since the epoch); exported: the last segment
    in the heads file; not_exported: segments after it, which the file cannot vouch for yet. restores: what was cut off
    by the operator's own restores, which is no finding, and never goes unsaid.
    """

    findings: list[Finding] = []
    rows: int = 0
    segments: int = 0
    dropped: int = 0
    vouched_from: int = 1
    vouched_since: int | None = None
    unsealed: int = 0
    unsealed_since: int | None = None
    exported: int = 0
    not_exported: int = 0
    restores: list[Restored] = []

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def add(self, kind: Kind, where: str, what: str) -> None:
        self.findings.append(Finding(kind, where, what, MENDS[kind]))
