"""ID tokens: OpenID Connect Core 1.0 sections 2, 3.1.3.6 and 3.1.3.7."""

from __future__ import annotations

import hashlib
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, jws, strict_json
from ostiary.protocol import claims as common
from ostiary.protocol.checks import ALGORITHM, CLAIMS, SUBJECT, shown
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "JWT"
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
    for name in ("exp", "iat"):
        # Core 2: both REQUIRED. A userinfo answer, signed by the same key under the same typ, has neither.
        if common.numeric_date(members, name, CLAIMS) is None:
            raise VerificationError(CLAIMS, "no ID token", seen=f"no {name}", expected="exp and iat")
    return members
