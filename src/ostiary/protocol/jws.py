"""JSON Web Signature, compact serialization only: RFC 7515, RFC 8725bis.

The header of a token chooses nothing: ``alg`` must be what the key is registered for, ``kid`` is an opaque name for our
own map, and ``jwk``, ``jku``, ``x5u``, ``x5c`` are never looked at (RFC 8725bis 3.10).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec
from msgspec.structs import force_setattr

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import base64url, strict_json
from ostiary.protocol.algorithms import ALGORITHMS
from ostiary.protocol.checks import ALGORITHM, HEADER, KEY, SIGNATURE, Note, malformed, shown
from ostiary.protocol.jwk import MAX_KID_LENGTH, VerificationKey

MAX_LENGTH = 16_384
_MAX_TYP_LENGTH = 128
_CACHED_HEADERS = 1024
_CACHED_HEADER_LENGTH = 512


class SigningPort(Protocol):
    """What signs: a SigningKey, or a key that its key management never hands out."""

    @property
    def kid(self) -> str: ...
    @property
    def alg(self) -> str: ...
    def sign(self, signing_input: bytes) -> bytes: ...


class Header(msgspec.Struct, frozen=True):
    """The members of a header that we act upon."""

    alg: str
    kid: str | None = None
    typ: str | None = None


class CompactJws(msgspec.Struct, frozen=True, repr_omit_defaults=True, gc=False):
    """A token taken apart, nothing verified yet.

    payload: the decoded bytes; signing_input: what the signature is over, as received; signature: decoded.
    """

    header: Header
    payload: bytes
    signing_input: bytes
    signature: bytes
    _claims: dict[str, object] | None = None

    def claims(self) -> dict[str, object]:
        """The payload as a JSON object, decoded once; not to be changed. Raises VerificationError("format")."""
        claims = self._claims
        if claims is None:
            claims = strict_json.decode_object(self.payload)
            force_setattr(self, "_claims", claims)
        return claims

    def __repr__(self) -> str:
        return f"CompactJws(header={self.header!r})"


_headers: dict[bytes, Header] = {}


def parse(token: str | bytes, *, max_length: int = MAX_LENGTH) -> CompactJws:
    """Take ``token`` apart. Raises VerificationError ("format", "header", "algorithm", "key"), verifies nothing.

    max_length: octets of the whole token, looked at before anything is decoded (CVE-2025-61920).
    Source: RFC 7515 sections 3.1, 5.2 and 7.1.
    """
    if len(token) > max_length:
        raise malformed(f"a token of {len(token)} characters", expected=f"at most {max_length}")
    if isinstance(token, str):
        if not token.isascii():
            raise malformed("a character outside the base64url alphabet")
        token = token.encode("ascii")
    segments = token.split(b".", 5)
    if len(segments) != 3:
        raise _wrong_parts(token, len(segments))
    header_segment, payload_segment, signature_segment = segments
    # A JWS with an empty signature is an Unsecured JWS (RFC 7518 3.6): never one of ours.
    if not signature_segment:
        raise malformed("no signature", expected="a signed token")
    header = _headers.get(header_segment)
    if header is None:
        header = _parse_header(header_segment)
    return CompactJws(
        header,
        base64url.decode(payload_segment),
        token[: len(header_segment) + len(payload_segment) + 1],
        base64url.decode(signature_segment),
    )


def verify(jws: CompactJws, key: VerificationKey, note: Note | None = None) -> bytes:
    """The payload of ``jws`` if ``key`` signed it under its own algorithm.

    Raises VerificationError("algorithm") if the header names another algorithm than the key is registered for, and
    VerificationError("signature"). Source: RFC 7515 section 5.2, RFC 8725bis 3.1.
    """
    if jws.header.alg != key.alg:
        raise VerificationError(
            ALGORITHM,
            "algorithm mismatch",
            seen=jws.header.alg,
            expected=key.alg,
            mend="sign with the algorithm that the key is registered for",
        )
    key.verify(jws.signing_input, jws.signature)
    if note is not None:
        note(ALGORITHM, jws.header.alg, key.alg)
        note(SIGNATURE, f"by the key {shown(key.kid)}", "a signature by that key")
    return jws.payload


_encoded_headers: dict[tuple[str, str, str], bytes] = {}


def sign(payload: bytes, key: SigningPort, *, typ: str, header: Mapping[str, object] | None = None) -> str:
    """``payload`` signed by ``key``, with ``alg``, ``kid``, ``typ`` and the further members of ``header``.

    Raises ConfigurationError if ``header`` would replace one of ours or ask for an extension (``crit``).
    """
    encoded = _further_header(key, typ, header) if header else _plain_header(key, typ)
    signing_input = encoded + b"." + base64url.encode(payload)
    return (signing_input + b"." + base64url.encode(key.sign(signing_input))).decode("ascii")


def media_type(typ: str) -> str:
    """The lower-case form of ``typ`` without the prefix ``application/``.

    "it is RECOMMENDED that they omit an 'application/' prefix of a media type value in a 'typ' Header Parameter when no
    other '/' appears" (RFC 7515 4.1.9); media types are compared without regard to case.
    """
    lowered = typ.lower()
    rest = lowered.removeprefix("application/")
    return lowered if "/" in rest else rest


def _wrong_parts(token: bytes, count: int) -> VerificationError:
    if count == 5:
        return malformed("five parts, as an encrypted token (JWE) has", expected="a signed token of three parts")
    if token.lstrip()[:1] == b"{":
        return malformed("a JSON serialization", expected="the compact serialization")
    return malformed(f"{count} parts" if count < 6 else "more than five parts", expected="three parts")


def _parse_header(segment: bytes) -> Header:
    members = strict_json.decode_object(base64url.decode(segment))
    # "If any of the listed extension Header Parameters are not understood and supported by the recipient, then the JWS
    # is invalid." RFC 7515 4.1.11. We implement none; neither an unencoded payload (b64) nor a compressed one (zip).
    for name in ("crit", "b64", "zip", "enc"):
        if name in members:
            raise VerificationError(
                HEADER,
                "unsupported header parameter",
                seen=name,
                expected="no such parameter",
                mend=f"leave {name} out",
            )
    header = Header(
        _algorithm(members), _text(members, "kid", MAX_KID_LENGTH, KEY), _text(members, "typ", _MAX_TYP_LENGTH, HEADER)
    )
    if len(segment) <= _CACHED_HEADER_LENGTH:
        if len(_headers) >= _CACHED_HEADERS:
            _headers.clear()
        _headers[segment] = header
    return header


def _algorithm(members: dict[str, object]) -> str:
    alg = members.get("alg")
    # RFC 8725bis 3.1: an allowlist, compared case-sensitively; "none" is on nobody's list.
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise VerificationError(
            ALGORITHM,
            "algorithm not allowed",
            seen=shown(alg),
            expected=", ".join(ALGORITHMS),
            mend="use an asymmetric algorithm",
        )
    return alg


def _text(members: dict[str, object], name: str, max_length: int, check: str) -> str | None:
    value = members.get(name)
    if name in members and (not isinstance(value, str) or not 0 < len(value) <= max_length):
        raise VerificationError(
            check, f"unusable {name}", seen=shown(value), expected=f"a text of 1 to {max_length} characters"
        )
    return value if isinstance(value, str) else None


def _plain_header(key: SigningPort, typ: str) -> bytes:
    cache_key = (key.kid, key.alg, typ)
    encoded = _encoded_headers.get(cache_key)
    if encoded is None:
        encoded = base64url.encode(strict_json.encode({"alg": key.alg, "typ": typ, "kid": key.kid}))
        if len(_encoded_headers) >= _CACHED_HEADERS:
            _encoded_headers.clear()
        _encoded_headers[cache_key] = encoded
    return encoded


def _further_header(key: SigningPort, typ: str, header: Mapping[str, object]) -> bytes:
    own = {"alg": key.alg, "typ": typ, "kid": key.kid}
    taken = (own.keys() | {"crit", "b64", "zip"}) & header.keys()
    if taken:
        raise ConfigurationError(
            f"The header parameters {', '.join(sorted(taken))} cannot be set by hand; leave them out."
        )
    return base64url.encode(strict_json.encode({**own, **header}))
