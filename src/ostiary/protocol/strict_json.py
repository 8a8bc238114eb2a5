"""JSON objects, strictly: UTF-8 only, duplicate member names refused, depth bounded (RFC 7519 section 4, RFC 8259).

msgspec parses but keeps the last of two members of one name. A lost member is found by writing the object anew: the
same text, as most makers write it, shows that nothing was lost. Else colons are counted: every member has one of its
own, so both texts have as many exactly if nothing was lost. Only a ``\\u`` escape could hide a colon; texts that hold
one, and those whose counts differ, are read by ``json`` with each pair in sight.

No text may hold U+0000. RFC 8259 allows it, but PostgreSQL keeps no such text, so whoever sends one (as the name of a
client, as the ``jti`` of an event) would be told of a fault of ours, and try again for ever.
"""

from __future__ import annotations

import json

import msgspec

from ostiary.protocol.checks import malformed

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

MAX_DEPTH = 16
_ARRAY, _OBJECT = b"[{"
_NUL = b"\\u0000"


def decode_object(raw: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, object]:
    """The JSON object in ``raw`` (UTF-8).

    Raises VerificationError("format") and nothing else for bytes that are not exactly one such object. "The Claim Names
    within a JWT Claims Set MUST be unique; JWT parsers MUST either reject JWTs with duplicate Claim Names or use a JSON
    parser that returns only the lexically last duplicate member name" (RFC 7519 section 4): we reject.
    """
    try:
        members = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise malformed("not a JSON object in UTF-8") from None
    if type(members) is not dict:
        raise malformed("not a JSON object in UTF-8")
    if not is_flat(raw) and _depth(members) > max_depth:
        raise malformed("JSON nested too deeply", expected=f"at most {max_depth} levels")
    if _NUL in raw and _holds_nul(members):
        raise malformed("the character U+0000 in a text")
    written = _encode(members)
    if written != raw and (b"\\u" in raw or raw.count(b":") != written.count(b":")):
        _refuse_duplicates(raw)
    return members


def is_flat(raw: bytes) -> bool:
    """Whether no member of the object in ``raw`` is an object or an array; False too where a text has a bracket."""
    return _ARRAY not in raw and raw.rfind(_OBJECT) <= 0


def _depth(value: object) -> int:
    deepest = 0
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, dict | list):
            deepest = max(deepest, depth)
            waiting.extend((child, depth + 1) for child in (item.values() if isinstance(item, dict) else item))
    return deepest


def _holds_nul(value: object) -> bool:
    """Whether any name or text in it does; the escape may as well follow a backslash, and then means itself."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and "\0" in item:
            return True
        if isinstance(item, dict | list):
            waiting.extend(item)
            waiting.extend(item.values() if isinstance(item, dict) else ())
    return False


def _refuse_duplicates(raw: bytes) -> None:
    try:
        json.loads(raw, object_pairs_hook=_unique_members)
    except (ValueError, RecursionError):
        raise malformed("not a JSON object in UTF-8") from None


def _unique_members(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise malformed("a duplicate member name", expected="unique member names")


def encode(members: object) -> bytes:
    """``members`` as JSON in UTF-8, without white space."""
    return _encode(members)
