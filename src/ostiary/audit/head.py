"""The signed head of a segment: what one signature says about the rows that it seals (a compact JWS, RFC 7515)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ostiary.errors import VerificationError
from ostiary.model.audit_row import AuditRow, AuditSegment
from ostiary.protocol import base64url, jws
from ostiary.protocol.jwk import VerificationKey

TYP = "ostiary-audit-head+jwt"
CHECKPOINT_TYP = "ostiary-audit-checkpoint+jwt"
RESTORE_TYP = "ostiary-audit-restore+jwt"
MAX_LENGTH = 262_144

Ranges = list[tuple[int, int]]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of a signed head, or of a checkpoint, which speaks of all segments up to ``segment`` at once.

    Or of a restore, which stands in the exported file alone (``audit.restoration``): there ``segment`` and ``head`` say
    where the restored log ends, ``previous_head`` is the last head that was exported before, ``rows`` how many rows the
    segments held that the restore cut off, and ``writers`` is empty.

    installation: whose log it is; segment: 1, 2, 3, ...; rows: how many rows it seals.
    previous_head, head: SHA-256, base64url: the chain before and after the segment's rows.
    writers: for each writer the runs of its numbers in the segment, first and last.
    at: when it was sealed, seconds since the epoch.
    """

    installation: str
    segment: int
    rows: int
    previous_head: str
    head: str
    writers: dict[str, Ranges]
    at: int


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Head)


def sign(head: Head, key: jws.SigningPort, *, typ: str = TYP) -> str:
    return jws.sign(_encode(head), key, typ=typ)


def verify(token: str, keys: Mapping[str, VerificationKey], *, typ: str = TYP) -> Head:
    """The head (or checkpoint, by ``typ``) that one of ``keys`` (by kid) signed. Raises VerificationError."""
    parsed = jws.parse(token, max_length=MAX_LENGTH)
    # RFC 8725bis 3.11: explicit typing, so that no token of another purpose passes for a head.
    if parsed.header.typ is None or jws.media_type(parsed.header.typ) != typ:
        raise VerificationError("type", "not a signed audit head", seen=parsed.header.typ or "", expected=typ)
    key = keys.get(parsed.header.kid or "")
    if key is None:
        raise VerificationError("key", "unknown audit key", seen=parsed.header.kid or "", expected=", ".join(keys))
    return _decode(jws.verify(parsed, key))


def unverified(token: str) -> Head:
    """The head as it stands in ``token``, nothing verified. Raises VerificationError("format")."""
    return _decode(jws.parse(token, max_length=MAX_LENGTH).payload)


def is_checkpoint(token: str) -> bool:
    """Whether it calls itself a checkpoint. Raises VerificationError."""
    return typ_of(token) == CHECKPOINT_TYP


def typ_of(token: str) -> str:
    """What it calls itself, ``""`` if nothing. Raises VerificationError."""
    header = jws.parse(token, max_length=MAX_LENGTH).header
    return "" if header.typ is None else jws.media_type(header.typ)


def of_columns(segment: AuditSegment, installation: str, writers: dict[str, Ranges]) -> Head:
    """The head that the columns of ``segment`` tell of, to be compared with the signed one."""
    previous, head = text(segment.previous_head), text(segment.head)
    return Head(installation, segment.segment, segment.row_count, previous, head, writers, segment.sealed_at)


def kid_of(token: str) -> str:
    """The kid that the token names, ``""`` if none. Raises VerificationError."""
    return jws.parse(token, max_length=MAX_LENGTH).header.kid or ""


def runs(rows: Iterable[AuditRow]) -> dict[str, Ranges]:
    """For each writer the runs of its numbers among ``rows``."""
    numbers: dict[str, list[int]] = {}
    for row in rows:
        numbers.setdefault(row.writer, []).append(row.number)
    return {writer: _merged(sorted(found)) for writer, found in numbers.items()}


def text(digest: bytes) -> str:
    """A hash as it stands in a head: base64url without padding."""
    return base64url.encode(digest).decode("ascii")


def digest(encoded: str) -> bytes:
    """The hash that ``text`` made into a text. Raises VerificationError."""
    return base64url.decode(encoded.encode("ascii"))


def _merged(numbers: Sequence[int]) -> Ranges:
    merged: Ranges = []
    for number in numbers:
        if merged and number == merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], number)
        else:
            merged.append((number, number))
    return merged


def _decode(payload: bytes) -> Head:
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise VerificationError("format", "not a signed audit head", seen=str(error)) from error
