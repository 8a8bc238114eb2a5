"""Introspection answers as signed JWTs: RFC 9701.

Section 8.1 warns of answers that are taken for access tokens: the type is another one, and neither ``sub`` nor ``exp``
stands at the top, so that no verifier of access tokens takes one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.protocol import strict_json
from ostiary.protocol.checks import CLAIMS, ISSUED_AT, Note, shown
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "token-introspection+jwt"
MEDIA_TYPE: Final = "application/token-introspection+jwt"
MEMBER: Final = "token_introspection"


def build(*, issuer: str, audience: Sequence[str], answer: object, now: int) -> bytes:
    """The payload of an answer to the API known by the names ``audience``; now: seconds since the epoch. Section 5.

    answer: the members of RFC 7662 section 2.2.
    """
    named = audience[0] if len(audience) == 1 else list(audience)
    return strict_json.encode({"iss": issuer, "aud": named, "iat": now, MEMBER: answer})


def verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    *,
    issuer: str,
    audience: str | Collection[str],
    now: float,
    leeway: float = 10,
    note: Note | None = None,
) -> dict[str, object]:
    """The answer that ``issuer`` gave to ``audience``, with its member ``active``. Raises VerificationError. 5."""
    compact.verify(jws, key, note)
    common.check_type(jws, TYP, note)
    members = jws.claims()
    common.check_issuer(members, issuer, note)
    common.check_audience(common.audiences(members), audience, note)
    if common.check_not_future(members, "iat", now, leeway, note) is None:
        raise VerificationError(ISSUED_AT, "iat missing", seen="absent", expected="a time")
    # Section 5: sub and exp stand inside alone, against misuse as an access token. One that has them at the top was
    # made to be confused.
    for name in ("sub", "exp"):
        if name in members:
            raise VerificationError(CLAIMS, f"{name} at the top", seen=shown(members[name]), expected="absent")
    answer = members.get(MEMBER)
    if not isinstance(answer, dict) or not isinstance(answer.get("active"), bool):
        raise VerificationError(CLAIMS, f"{MEMBER} unusable", seen=shown(answer), expected='an object with "active"')
    return answer
