"""The checkpoint: one signed head in the place of all the segments whose rows retention has dropped.

It says of everything from the beginning up to a segment what the head of one segment says of its rows, so the chain
goes on from it. It stands in the database, and in the file of heads as its new beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from ostiary.audit import chain
from ostiary.audit import head as heads
from ostiary.audit.audit_keys import AuditKeys
from ostiary.audit.head import Head, Ranges
from ostiary.errors import VerificationError
from ostiary.model.audit_row import AuditSegment
from ostiary.protocol.jws import SigningPort

SETTING: Final = "audit_checkpoint"
"""The setting of the installation that holds the compact JWS."""
MAX_WRITERS: Final = 2000
"""So many writers are remembered, those seen last. One that is forgotten and writes again would show a gap: it must
have been silent while so many others came."""


def sign(checkpoint: Head, key: SigningPort) -> str:
    """The compact JWS. If it became longer than is read again, the writers that were silent longest are left out."""
    token = heads.sign(checkpoint, key, typ=heads.CHECKPOINT_TYP)
    while len(token) > heads.MAX_LENGTH:
        kept = list(checkpoint.writers.items())
        checkpoint = msgspec.structs.replace(checkpoint, writers=dict(kept[len(kept) // 2 :]))
        token = heads.sign(checkpoint, key, typ=heads.CHECKPOINT_TYP)
    return token


def extended(before: Head | None, segments: Sequence[AuditSegment], installation: str, keys: AuditKeys) -> Head:
    """The checkpoint after ``segments``, which follow ``before``, the one that stands; none of them empty.

    Raises VerificationError: a segment is not what its signature says, or does not follow the one before it. What is
    wrong must not be folded away.
    """
    last = before.segment if before else 0
    head = before.head if before else heads.text(chain.beginning(installation))
    folded: list[Head] = []
    for segment in segments:
        signed = heads.verify(segment.signature, keys.all)
        if heads.of_columns(segment, installation, signed.writers) != signed:
            raise _refused(segment, "its columns differ from what its signature says")
        if signed.segment != last + 1 or signed.previous_head != head:
            raise _refused(segment, "it does not build on the segment before it")
        last, head = signed.segment, signed.head
        folded.append(signed)
    return Head(
        installation,
        last,
        (before.rows if before else 0) + sum(one.rows for one in folded),
        heads.text(chain.beginning(installation)),
        head,
        _writers(before.writers if before else {}, folded),
        folded[-1].at,
    )


def _refused(segment: AuditSegment, what: str) -> VerificationError:
    return VerificationError("segment", f"segment {segment.segment} cannot be folded: {what}")


def _writers(before: Mapping[str, Ranges], folded: Iterable[Head]) -> dict[str, Ranges]:
    """The numbers of each writer up to here, the writer seen last at the end."""
    found = dict(before)
    for head in folded:
        for writer, runs in head.writers.items():
            found[writer] = _joined([*found.pop(writer, []), *runs])
    return dict(list(found.items())[-MAX_WRITERS:])


def _joined(runs: Ranges) -> Ranges:
    joined: Ranges = []
    for first, last in sorted(runs):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
