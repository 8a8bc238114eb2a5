"""ID tokens: OpenID Connect Core 1.0 sections 2, 3.1.3.6 and 3.1.3.7."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import acr, base64url, jws, strict_json
from ostiary.protocol import claims as common
from ostiary.protocol.checks import (
    ACR,
    ALGORITHM,
    AUTH_TIME,
    AUTHORIZED_PARTY,
    CLAIMS,
    ISSUED_AT,
    NONCE,
    SUBJECT,
    TOKEN_HASH,
    TYPE,
    checked_leeway,
    shown,
)
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
    "PS384": hashlib.sha384,
    "ES512": hashlib.sha512,
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
    members = _signed_by(parsed, key)
    common.check_issuer(members, issuer, None)
    common.text(members, "sub", check=SUBJECT)
    common.audiences(members)
    for name in ("exp", "iat"):
        # Core 2: both REQUIRED. A userinfo answer, signed by the same key under the same typ, has neither.
        if common.numeric_date(members, name, CLAIMS) is None:
            raise VerificationError(CLAIMS, "no ID token", seen=f"no {name}", expected="exp and iat")
    return members


@dataclass(frozen=True, slots=True)
class Expected:
    """What a client knows of the ID token that it asked for.

    nonce: as it was sent, None where none was (an ID token of a refresh).
    access_token: the one that came beside it, for ``at_hash``.
    max_age: seconds, as asked for; asked_at: when that was, in seconds since the epoch.
    acr_values: the levels asked for; empty for any.
    """

    issuer: str
    client_id: str
    nonce: str | None
    access_token: str
    max_age: int | None = None
    asked_at: float = 0.0
    acr_values: tuple[str, ...] = ()


def verify(
    parsed: jws.CompactJws, key: VerificationKey, expected: Expected, *, now: float, leeway: float = 10
) -> dict[str, object]:
    """The claims of an ID token, checked as a client must: OpenID Connect Core 3.1.3.7 and 3.1.3.8.

    key: of ``expected.issuer``; now, leeway: seconds. Raises VerificationError by the name of the check that failed.
    """
    checked_leeway(leeway)
    members = _signed_by(parsed, key)
    common.check_issuer(members, expected.issuer, None)
    common.text(members, "sub", check=SUBJECT, max_length=MAX_SUBJECT)
    _check_audience(members, expected.client_id)
    common.check_expiry(members, now, leeway, None)
    issued = common.check_not_future(members, "iat", now, leeway, None)
    if issued is None or issued < now - MAX_AGE - leeway:
        raise VerificationError(ISSUED_AT, "too old", seen=shown(issued), expected=f"within {MAX_AGE} s")
    _check_nonce(members, expected.nonce)
    _check_access_token(members, expected.access_token, parsed.header.alg)
    _check_sign_in(members, expected, leeway)
    return members


def _signed_by(parsed: jws.CompactJws, key: VerificationKey) -> dict[str, object]:
    jws.verify(parsed, key)
    if parsed.header.typ is not None and jws.media_type(parsed.header.typ) != TYP.lower():
        # RFC 8725bis 3.12: what is another kind of token is no ID token, though the same key signed it.
        raise VerificationError(TYPE, "no ID token", seen=shown(parsed.header.typ), expected="no typ, or JWT")
    return parsed.claims()


def _check_audience(members: dict[str, object], client_id: str) -> None:
    audiences = common.audiences(members)
    common.check_audience(audiences, client_id, None)
    party = common.optional_text(members, "azp")
    # Core 3.1.3.7: an audience that the client does not trust is a reason to reject; we trust none but ourselves.
    # "If an azp (authorized party) Claim is present, the Client SHOULD verify that its client_id is the Claim Value."
    if len(set(audiences)) > 1 or party not in (None, client_id):
        raise VerificationError(
            AUTHORIZED_PARTY,
            "the ID token is for others too",
            seen=shown(f"aud {' '.join(audiences)}, azp {party}"),
            expected=f"{client_id} alone",
        )


def _check_nonce(members: dict[str, object], nonce: str | None) -> None:
    if nonce is None:
        return
    found = members.get("nonce")
    # Core 3.1.3.7-11: "a nonce Claim MUST be present and its value checked to verify that it is the same value as the
    # one that was sent in the Authentication Request"
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), nonce.encode()):
        raise VerificationError(
            NONCE, "nonce mismatch", seen="another nonce" if "nonce" in members else "absent", expected="the one sent"
        )


def _check_access_token(members: dict[str, object], access_token: str, alg: str) -> None:
    if "at_hash" not in members:
        return  # Core 3.1.3.6: "its inclusion is OPTIONAL" in the code flow
    wanted = half_hash(access_token, alg)
    found = members["at_hash"]
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), wanted.encode()):
        raise VerificationError(
            TOKEN_HASH, "at_hash mismatch", seen=shown(found), expected="the hash of the access token beside it"
        )


def _check_sign_in(members: dict[str, object], expected: Expected, leeway: float) -> None:
    signed_in = common.numeric_date(members, "auth_time", AUTH_TIME)
    # Core 2: "When a max_age request is made (...) then this Claim is REQUIRED"; measured from when it was asked for,
    # for the user may read the consent page for a while.
    if expected.max_age is not None and (
        signed_in is None or signed_in + expected.max_age + leeway < expected.asked_at
    ):
        raise VerificationError(
            AUTH_TIME,
            "the sign-in is too old",
            seen=shown(signed_in),
            expected=f"at least {expected.asked_at - expected.max_age:.0f}",
            mend="send the user to the authorization endpoint again, with max_age",
        )
    held = common.optional_text(members, "acr")
    if expected.acr_values and (held is None or not acr.satisfies(held, expected.acr_values)):
        raise VerificationError(
            ACR,
            "the sign-in is not strong enough",
            seen=shown(held),
            expected=shown(" or ".join(expected.acr_values)),
            mend="the user needs a stronger way to sign in, such as a passkey or a second factor",
        )
