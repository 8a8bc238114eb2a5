"""ID tokens: OpenID Connect Core 1.0 sections 2, 3.1.3.6 and 3.1.3.7."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, jws, strict_json
from ostiary.protocol import claims as common
from ostiary.protocol.checks import ALGORITHM, AUDIENCE, CLAIMS, ISSUED_AT, NONCE, SUBJECT, TYPE, shown
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "JWT"
MAX_AGE: Final = 600
"""Seconds since ``iat`` within which a token that was just fetched must have been made."""

MAX_SUBJECT: Final = 255
"""Core 2: ``sub`` "MUST NOT exceed 255 ASCII [RFC20] characters in length"."""

# Core 3.1.3.6: "the hash algorithm used is the hash algorithm used in the alg Header Parameter of the ID Token's JOSE
# Header"; for Ed25519 (RFC 9864) there is none there, and SHA-512 is what it signs with.
_HASHES: Final = {
    "ES256": hashlib.sha256,
    "PS256": hashlib.sha256,
    "RS256": hashlib.sha256,
    "ES384": hashlib.sha384,
    "EdDSA": hashlib.sha512,
    "Ed25519": hashlib.sha512,
}


def half_hash(text: str, alg: str) -> str:
    """``at_hash`` or ``c_hash`` of an access token or code, for an ID token signed by ``alg``.

    Raises VerificationError("algorithm") for one whose hash is unknown: never a hash that nobody checks.
    """
    algorithm = _HASHES.get(alg)
    if algorithm is None:
        raise VerificationError(ALGORITHM, "no hash is known for this algorithm", seen=shown(alg))
    digest = algorithm(text.encode("ascii")).digest()
    return base64url.encode(digest[: len(digest) // 2]).decode("ascii")


def build(members: dict[str, object]) -> bytes:
    """The payload of an ID token; members that are None are left out."""
    return strict_json.encode({name: value for name, value in members.items() if value is not None})


def verify(
    parsed: jws.CompactJws,
    key: VerificationKey,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
    now: float,
    leeway: float = 10,
) -> dict[str, object]:
    """The claims of an ID token that a provider has issued to us, ``client_id``, for the request with this ``nonce``.

    now, leeway: seconds. access_token: that came with it. Raises VerificationError. Source: Core 3.1.3.7.
    """
    jws.verify(parsed, key)
    if parsed.header.typ is not None and jws.media_type(parsed.header.typ) != TYP.lower():
        raise VerificationError(TYPE, "wrong type of token", seen=shown(parsed.header.typ), expected="no typ, or JWT")
    members = parsed.claims()
    common.check_issuer(members, issuer, None)
    # Core 3.1.3.7: "The ID Token MUST be rejected if the ID Token does not list the Client as a valid audience, or if
    # it contains additional audiences not trusted by the Client." We trust none.
    common.check_sole_audience(members, client_id, None)
    if members.get("azp", client_id) != client_id:
        raise VerificationError(
            AUDIENCE, "issued to another client", seen=shown(members.get("azp")), expected=client_id
        )
    common.check_expiry(members, now, leeway, None)
    issued = common.check_not_future(members, "iat", now, leeway, None)
    if issued is None or issued < now - MAX_AGE - leeway:
        raise VerificationError(ISSUED_AT, "too old", seen=shown(issued), expected=f"within {MAX_AGE} s")
    if not hmac.compare_digest(str(members.get("nonce", "")).encode(), nonce.encode()):
        # "its value MUST be checked to verify that it is the same value as the one that was sent"
        raise VerificationError(NONCE, "nonce mismatch", seen="another nonce", expected="that of this sign-in")
    if "at_hash" in members and members["at_hash"] != half_hash(access_token, parsed.header.alg):
        raise VerificationError(CLAIMS, "at_hash mismatch", seen="another hash", expected="that of the access token")
    common.text(members, "sub", check=SUBJECT, max_length=MAX_SUBJECT)
    return members


def verify_hint(parsed: jws.CompactJws, key: VerificationKey, *, issuer: str) -> dict[str, object]:
    """The claims of an ID token that comes back as ``id_token_hint``: ours, perhaps expired.

    OpenID Connect RP-Initiated Logout 2: the provider "SHOULD accept ID Tokens when the RP identified by the ID Token's
    aud claim and/or sid claim has a current session or had a recent session", even after ``exp``. Raises
    VerificationError: signature, type, issuer, or no subject.
    """
    jws.verify(parsed, key)
    if parsed.header.typ not in (None, TYP):
        # RFC 8725bis 3.12: what is another kind of token is no ID token, though the same key signed it.
        raise VerificationError(CLAIMS, "no ID token", seen=shown(parsed.header.typ), expected="no typ, or JWT")
    members = parsed.claims()
    common.check_issuer(members, issuer, None)
    common.text(members, "sub", check=SUBJECT)
    common.audiences(members)
    return members
