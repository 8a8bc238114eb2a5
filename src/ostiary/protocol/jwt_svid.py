"""JWT-SVID: a SPIFFE ID in a signed JWT; a bearer credential, so short-lived and for few to read (JWT-SVID standard).

It is none of our other JWTs and none of them is one: its keys are its own (``use: jwt-svid`` of a trust bundle), and
its type is ``JWT`` where theirs are registered media types (RFC 8725bis 3.11, 3.12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.protocol import spiffe_id, strict_json
from ostiary.protocol.checks import ALGORITHM, JTI, SUBJECT, TYPE, Note, checked_leeway, shown
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "JWT"
ALGORITHMS: Final = ("ES256", "ES384", "PS256", "RS256")
"""Those of section 2.1 that we take: it has the families of RFC 7518 3.3 to 3.5, and no EdDSA."""

MAX_LIFE: Final = 300


@dataclass(frozen=True, slots=True)
class JwtSvid:
    """A verified JWT-SVID. exp: seconds since the epoch. jti: "" for one that has none, as most have.

    usable_from: the first second in which it can have been accepted here.
    """

    spiffe_id: str
    exp: float
    jti: str
    usable_from: int = field(default=0, compare=False)


def build(subject: str, audience: Sequence[str], *, now: float, life: int, jti: str) -> bytes:
    """The payload of a JWT-SVID, to be signed with the type TYP.

    subject: a workload's SPIFFE ID; audience: at least one value; now: seconds since the epoch; life: seconds.
    Source: JWT-SVID section 3.
    """
    issued = int(now)
    # One audience stands as an array too: the SPIFFE libraries read both forms, some the array alone.
    claims = {"sub": subject, "aud": list(audience), "iat": issued, "exp": issued + life, "jti": jti}
    return strict_json.encode(claims)


def unverified_spiffe_id(jws: compact.CompactJws) -> str:
    """The workload that a JWT-SVID claims to be of, only to choose whose keys to try. Raises VerificationError."""
    if jws.header.alg not in ALGORITHMS:
        # "Validators receiving a token with the alg parameter set to a different value MUST reject the token." 2.1
        raise VerificationError(ALGORITHM, "algorithm not allowed", seen=jws.header.alg, expected=", ".join(ALGORITHMS))
    subject = common.text(jws.claims(), "sub", check=SUBJECT, max_length=spiffe_id.MAX_LENGTH)
    spiffe_id.check_workload(subject)
    return subject


def verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    *,
    audience: str,
    now: float,
    max_life: float = MAX_LIFE,
    leeway: float = 10,
    note: Note | None = None,
) -> JwtSvid:
    """The JWT-SVID, if ``key`` signed it for ``audience`` alone. ``key`` must be one of its subject's trust domain.

    now, max_life, leeway: seconds. A JWT-SVID that names others beside ``audience`` is refused, though the standard
    takes it: each of them could use it here (draft-ietf-oauth-spiffe-client-auth 3.1: "its sole value").
    Raises VerificationError. Source: JWT-SVID sections 2 to 4.
    """
    checked_leeway(leeway)
    subject = unverified_spiffe_id(jws)
    compact.verify(jws, key, note)
    _check_type(jws, note)
    members = jws.claims()
    common.check_sole_audience(members, audience, note)
    expires = common.check_short_life(members, now, max_life, leeway, note)
    jti = common.text(members, "jti", check=JTI) if "jti" in members else ""
    return JwtSvid(subject, expires, jti, common.usable_from(members, expires, max_life, leeway))


def _check_type(jws: compact.CompactJws, note: Note | None) -> None:
    # "The typ header is optional. If set, its value MUST be either JWT or JOSE." 2.3
    if jws.header.typ not in (None, "JWT", "JOSE"):
        raise VerificationError(TYPE, "wrong type of token", seen=shown(jws.header.typ), expected="JWT, JOSE or none")
    if note is not None:
        note(TYPE, shown(jws.header.typ), "JWT, JOSE or none")
