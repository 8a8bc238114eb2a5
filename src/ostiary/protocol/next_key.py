"""A client registers its next key with its present one, and shows that it holds the next (RFC 7517, RFC 8725bis 3.11).

The JWT, signed by the present key (``typ`` ``ostiary-next-key+jwt``), claims ``iss`` = ``sub`` = the client, ``aud`` =
the issuer alone, ``jti``, ``iat``, ``exp``, ``jwk`` = the next public key, and ``proof``: a compact JWS by the *next*
key (``typ`` ``ostiary-next-key-proof+jwt``) over ``iss``, ``aud`` and ``jti`` with the same values, so that nobody can
register a key that is another's, and no proof serves twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jwk, strict_json
from ostiary.protocol import jws as compact
from ostiary.protocol.checks import JTI, KEY, PROOF, Note, checked_leeway, shown
from ostiary.protocol.jwk import SigningKey, VerificationKey

TYP: Final = "ostiary-next-key+jwt"
PROOF_TYP: Final = "ostiary-next-key-proof+jwt"
MAX_LIFE: Final = 300


@dataclass(frozen=True, slots=True)
class NextKey:
    """A verified request to register a key. exp: seconds since the epoch, until which ``jti`` must be remembered.

    usable_from: the first second in which it can have been accepted here.
    """

    client_id: str
    jti: str
    exp: float
    kid: str
    key: VerificationKey
    usable_from: int = 0


def build(client_id: str, issuer: str, next_key: SigningKey, *, now: float, life: int = 60, jti: str) -> bytes:
    """The payload that registers ``next_key``, to be signed by the present key with the type TYP."""
    proof = strict_json.encode({"iss": client_id, "aud": issuer, "jti": jti})
    issued = int(now)
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": jti,
        "iat": issued,
        "exp": issued + life,
        "jwk": next_key.verification_key.public_jwk(),
        "proof": compact.sign(proof, next_key, typ=PROOF_TYP),
    }
    return strict_json.encode(claims)


def unverified_client_id(jws: compact.CompactJws) -> str:
    """The client that the JWT claims to be of, only to choose whose keys to try."""
    return common.named_client(jws.claims())


def verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    *,
    client_id: str,
    issuer: str,
    now: float,
    max_life: float = MAX_LIFE,
    leeway: float = 10,
    note: Note | None = None,
) -> NextKey:
    """The next key, if ``client_id``, the owner of the present ``key``, asks for it and holds it.

    now, max_life, leeway: seconds. The caller still has to see to it that (client_id, jti) is used once.
    Raises VerificationError.
    """
    checked_leeway(leeway)
    compact.verify(jws, key, note)
    common.check_type(jws, TYP, note)
    members = jws.claims()
    common.check_client_names_itself(members, client_id, note)
    common.check_sole_audience(members, issuer, note)
    expires = common.check_short_life(members, now, max_life, leeway, note)
    jti = common.text(members, "jti", check=JTI)
    next_key = _next_key(members, key)
    _check_proof(members, next_key, {"iss": client_id, "aud": issuer, "jti": jti})
    if note is not None:
        note(JTI, shown(jti), "present")
        note(PROOF, f"by the key {shown(next_key.kid)}", "a proof by the next key")
    since = common.usable_from(members, expires, max_life, leeway)
    return NextKey(client_id, jti, expires, key.kid, next_key, since)


def _next_key(members: dict[str, object], present: VerificationKey) -> VerificationKey:
    document = members.get("jwk")
    if not isinstance(document, dict):
        raise VerificationError(KEY, "unusable key", seen="no jwk", expected="the next public key as a JWK")
    key = jwk.parse_public_key(document)
    if key.thumbprint == present.thumbprint or key.kid == present.kid:
        raise VerificationError(KEY, "unusable key", seen="the present key", expected="a new key with a kid of its own")
    return key


def _check_proof(members: dict[str, object], key: VerificationKey, expected: dict[str, str]) -> None:
    try:
        proof = compact.parse(common.text(members, "proof", max_length=compact.MAX_LENGTH))
        compact.verify(proof, key)
        common.check_type(proof, PROOF_TYP, None)
        claimed = proof.claims()
    except VerificationError as error:
        raise _refused_proof(f"{error.check}: {error.seen}") from None
    if claimed != expected:
        raise _refused_proof("a proof over other claims")


def _refused_proof(seen: str) -> VerificationError:
    return VerificationError(
        PROOF,
        "the next key is not proven",
        seen=seen,
        expected="a JWS by the next key over iss, aud and jti",
        mend="sign the proof with the private half of the next key",
    )
