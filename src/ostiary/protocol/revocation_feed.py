"""Messages of the revocation feed: which tokens have ended, in the order of commits, signed by the issuer.

An answer is a stream of server-sent events, each of which is one message. The first one of an answer repeats the
reader's ``nonce``; it and every later one say which process of the issuer speaks (``node``) and when by that process's
own steady clock it looked at the log (``at``). So a reader knows how old what it knows can be at most, by its own clock
of that kind; no replayed or delayed message makes it look younger: ``docs/decisions/revocation-feed.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.protocol import strict_json
from ostiary.protocol.checks import NONCE, malformed, shown
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "ostiary-revocations+jwt"
MAX_ROWS: Final = 4096
MAX_LENGTH: Final = 4 * 1024 * 1024
"""Octets of one signed message: MAX_ROWS rows that name long subjects."""

RANGE: Final = "revocation_range"
INSTALLATION: Final = "installation"
PROGRESS: Final = "feed_progress"

Kind = Literal["jti", "grant", "client", "sub", "sid", "client_key", "signing_key", "installation"]

_Position = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_LAST = 2**40


class Row(NamedTuple):
    """What ended: the token whose ``jti`` is named, else every token of the kind whose ``rev`` is below ``position``.

    value: a ``jti``, grant id, client_id, ``sub``, ``sid``, thumbprint of a client's key or certificate, or signing
    ``kid``, which ends all that it signed, whatever ``rev`` that claims; "" for ``installation``, which ends all.
    expires_at: seconds since the epoch by the issuer's clock, until which a token may live that it concerns.
    """

    position: int
    kind: Kind
    value: str
    expires_at: int


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message. start, end: it holds every row above ``start`` up to ``end`` that can still concern a token.

    installation: six characters; node: of the process that made it. at: milliseconds of that process's steady clock,
    read before the log was. iat: seconds since the epoch. head: the position of the log when it was read; below it more
    messages follow at once. nonce: the reader's, in the first message of an answer alone. reader: in that message, the
    secret by which the reader says what it has applied (kind ``fr``).
    """

    iss: str
    installation: _Name
    node: _Name
    at: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    iat: Annotated[int, Meta(ge=0, le=_LAST)]
    start: _Position
    end: _Position
    head: _Position
    rows: tuple[Row, ...] = ()
    nonce: str | None = None
    reader: str | None = None


_Compact = tuple[str, int, int]


class _Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rows by kind, each as value, position above ``start``, seconds after ``iat``: a third of the octets."""

    iss: str
    installation: _Name
    node: _Name
    at: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    iat: Annotated[int, Meta(ge=0, le=_LAST)]
    start: _Position
    end: _Position
    head: _Position
    rows: dict[Kind, list[_Compact]] = {}
    nonce: str | None = None
    reader: str | None = None


_SHARED = tuple(name for name in Message.__struct_fields__ if name != "rows")


def build(message: Message) -> bytes:
    """The payload of ``message``, to be signed with the type TYP."""
    rows: dict[Kind, list[_Compact]] = {}
    for row in message.rows:
        rows.setdefault(row.kind, []).append((row.value, row.position - message.start, row.expires_at - message.iat))
    return strict_json.encode(_Wire(rows=rows, **{name: getattr(message, name) for name in _SHARED}))


def verify(jws: compact.CompactJws, key: VerificationKey, *, issuer: str) -> Message:
    """The message in ``jws``, if ``issuer``, the owner of ``key``, made it. Its rows are in the order of positions.

    The caller still has to see to it that it follows what is known: ``check_progress``. Raises VerificationError.
    """
    compact.verify(jws, key)
    common.check_type(jws, TYP, None)
    try:
        wire = msgspec.json.decode(jws.payload, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(f"no message of a feed: {shown(str(error))}") from None
    common.check_issuer({"iss": wire.iss}, issuer, None)
    rows = tuple(
        sorted(
            Row(wire.start + above, kind, value, wire.iat + life)
            for kind, several in wire.rows.items()
            for value, above, life in several
        )
    )
    _check_range(wire, rows)
    return Message(rows=rows, **{name: getattr(wire, name) for name in _SHARED})


def _check_range(wire: _Wire, rows: Sequence[Row]) -> None:
    within = wire.start <= wire.end <= wire.head
    if not within or (rows and not wire.start < rows[0].position <= rows[-1].position <= wire.end):
        raise VerificationError(
            RANGE,
            "rows outside of their range",
            seen=f"{wire.start} to {wire.end} of {wire.head}",
            expected="rows above the start, up to the end, none beyond the head of the log",
        )


class Known(NamedTuple):
    """Where a reader stands. installation, node: "" before the first message; at: of the last message of ``node``."""

    installation: str = ""
    position: int = 0
    node: str = ""
    at: int = 0


def check_progress(known: Known, message: Message, *, nonce: str | None) -> Known:
    """Where the reader stands after ``message``. Raises VerificationError if it does not follow what is ``known``.

    nonce: what the reader sent, for the first message of an answer; None for those after it.
    """
    if message.nonce != nonce:
        raise VerificationError(NONCE, "an answer to somebody else", seen=shown(message.nonce), expected=shown(nonce))
    if known.installation and message.installation != known.installation:
        raise VerificationError(
            INSTALLATION,
            "another installation",
            seen=shown(message.installation),
            expected=shown(known.installation),
            mend="start the API again if the issuer was set up anew",
        )
    # A message that was taken before has an end that is not above its start, or a start that has been passed.
    if message.start != known.position:
        raise VerificationError(
            RANGE, "rows are missing or repeated", seen=f"from {message.start}", expected=f"from {known.position}"
        )
    follows = nonce is not None or (message.node == known.node and message.at >= known.at)
    if not follows:
        raise VerificationError(
            PROGRESS,
            "a message of before",
            seen=f"{shown(message.node)} at {message.at}",
            expected=f"{shown(known.node)} at {known.at} or later",
        )
    return Known(message.installation, message.end, message.node, message.at)
