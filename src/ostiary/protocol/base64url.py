"""Unpadded base64url, strictly: RFC 4648 section 5 in the form of RFC 7515 section 2."""

from __future__ import annotations

import binascii

import msgspec

from ostiary.protocol.checks import malformed

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_STANDARD = bytes(
    b"+/"[b"-_".index(byte)] if byte in b"-_" else byte if byte in _ALPHABET else 0x21 for byte in range(256)
)
_TO_URL = bytes.maketrans(b"+/", b"-_")
# msgspec reads base64 only inside JSON, but takes a fraction of the time of binascii in its strict mode.
_read_text = msgspec.json.Decoder(bytes).decode
_END_OF_TEXT = (b'"', b'"', b'=="', b'="')
# What may be the last character, by how many there are beyond groups of four: it may carry only zero bits beyond the
# last whole byte, else two texts would mean one value. One alone holds no byte; a group is for the alphabet to judge.
_LAST = (
    frozenset({b"", *(bytes((byte,)) for byte in range(256))}),
    frozenset[bytes](),
    frozenset(bytes((byte,)) for byte in _ALPHABET[0::16]),
    frozenset(bytes((byte,)) for byte in _ALPHABET[0::4]),
)


def encode(raw: bytes) -> bytes:
    """The base64url text of ``raw``, without padding, as ASCII bytes."""
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """The bytes that ``text`` stands for.

    Raises VerificationError("format") for padding, any character outside the alphabet (line breaks too), an
    impossible length, or a last character with stray bits. Source: RFC 7515 section 2, RFC 4648 section 3.5.
    """
    remainder = len(text) & 3
    if text[-1:] not in _LAST[remainder]:
        raise malformed("base64url text of impossible length or with stray bits at its end")
    try:
        return _read_text(b'"' + text.translate(_TO_STANDARD) + _END_OF_TEXT[remainder])
    except msgspec.DecodeError:
        raise malformed("a character outside the base64url alphabet") from None
