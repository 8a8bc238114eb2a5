"""The signed requests of ACME: JWS in the flattened JSON serialization, RFC 8555 sections 6.2 to 6.5 and 7.3.4."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, strict_json
from ostiary.protocol.checks import ALGORITHM, HEADER, KEY, malformed, shown
from ostiary.protocol.jwk import VerificationKey, parse_public_key
from ostiary.protocol.refusals import bad_signature

ALGORITHMS: Final = ("ES256", "ES384", "EdDSA", "RS256")
"""Of accounts: neither "none" nor a MAC (RFC 8555 section 6.2)."""
MAC_ALGORITHMS: Final = ("HS256",)
"""Of an external account binding alone (section 7.3.4)."""

_MEMBERS = {"protected", "payload", "signature"}
_MAX_TEXT = 2048
_EXTENSIONS = ("crit", "b64", "zip", "enc")


class AcmeJws(msgspec.Struct, frozen=True):
    """A request taken apart, nothing verified yet.

    nonce: "" if there is none (only an inner JWS may have none). kid: the account's URL or the name of an external key,
    "" if the key is given as ``jwk`` (its members) instead. payload: the octets, empty for POST-as-GET.
    """

    alg: str
    url: str
    nonce: str
    kid: str
    jwk: dict[str, object]
    payload: bytes
    signing_input: bytes
    signature: bytes

    def members(self) -> dict[str, object]:
        """The payload as a JSON object. Raises VerificationError (check "format")."""
        return strict_json.decode_object(self.payload)

    def __repr__(self) -> str:
        return f"AcmeJws(alg={self.alg!r}, url={self.url!r}, kid={self.kid!r})"


def parse(document: bytes | Mapping[str, object], *, algorithms: Sequence[str] = ALGORITHMS) -> AcmeJws:
    """The request in ``document``, JSON text or already decoded (an inner JWS); verifies nothing.

    Raises VerificationError (checks "format", "header", "algorithm").
    """
    members = strict_json.decode_object(document) if isinstance(document, bytes) else document
    # "The JWS MUST be in the Flattened JSON Serialization", without an unprotected header (section 6.2).
    if set(members) != _MEMBERS:
        raise malformed(f"the members {', '.join(sorted(map(str, members)))}", expected="protected, payload, signature")
    protected, payload, signature = (_segment(members, name) for name in ("protected", "payload", "signature"))
    if not signature:
        raise malformed("no signature", expected="a signed request")
    header = strict_json.decode_object(base64url.decode(protected))
    for name in _EXTENSIONS:
        if name in header:
            raise VerificationError(HEADER, "unsupported header parameter", seen=name, expected="no such parameter")
    jwk = _jwk(header)
    return AcmeJws(
        _algorithm(header, algorithms),
        _text(header, "url"),
        _text(header, "nonce", optional=True),
        _text(header, "kid", optional=True),
        jwk,
        base64url.decode(payload),
        protected + b"." + payload,
        base64url.decode(signature),
    )


def key_of(jws: AcmeJws) -> VerificationKey:
    """The key that the request itself names by ``jwk``. Raises VerificationError (check "key")."""
    return parse_public_key(jws.jwk, alg=jws.alg)


def verify(jws: AcmeJws, key: VerificationKey) -> None:
    """Raises VerificationError ("algorithm", "signature") unless ``key`` signed it under its own algorithm."""
    if jws.alg != key.alg:
        mend = "sign with the algorithm that the account's key is registered for"
        raise VerificationError(ALGORITHM, "algorithm mismatch", seen=jws.alg, expected=key.alg, mend=mend)
    key.verify(jws.signing_input, jws.signature)


def verify_mac(jws: AcmeJws, secret: bytes) -> None:
    """Raises VerificationError ("signature") unless it was made with ``secret`` under HS256."""
    if not hmac.compare_digest(hmac.digest(secret, jws.signing_input, "sha256"), jws.signature):
        raise bad_signature("a MAC by another key or over other content")


def _segment(members: Mapping[str, object], name: str) -> bytes:
    value = members[name]
    if not isinstance(value, str) or not value.isascii():
        raise malformed(f"{name} is no base64url text")
    return value.encode("ascii")


def _algorithm(header: Mapping[str, object], allowed: Sequence[str]) -> str:
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in allowed:
        expected, mend = ", ".join(allowed), "use one of these algorithms"
        raise VerificationError(ALGORITHM, "algorithm not allowed", seen=shown(alg), expected=expected, mend=mend)
    return alg


def _text(header: Mapping[str, object], name: str, *, optional: bool = False) -> str:
    value = header.get(name)
    if optional and name not in header:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise VerificationError(HEADER, f"unusable {name}", seen=shown(value), expected=f"a text in {name}")
    return value


def _jwk(header: Mapping[str, object]) -> dict[str, object]:
    # Section 6.2: one of them, and a request with both is refused.
    if ("jwk" in header) == ("kid" in header):
        seen = "both" if "jwk" in header else "neither"
        raise VerificationError(HEADER, "jwk or kid must be given", seen=seen, expected="one of jwk and kid")
    jwk = header.get("jwk", {})
    if not isinstance(jwk, dict):
        raise VerificationError(KEY, "unusable key", seen=shown(jwk), expected="a JWK")
    return jwk
