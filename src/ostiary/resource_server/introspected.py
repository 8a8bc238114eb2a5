"""What an introspection answer must say before its token is taken: RFC 7662 section 2.2, and the rules of RFC 9068.

Two formats, one rule: issuer, audience and times are checked as in a self-contained token.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ostiary.errors import VerificationError
from ostiary.protocol import claims
from ostiary.protocol.checks import CLAIMS, CLIENT, SCOPE, SUBJECT, Note, shown
from ostiary.resource_server.principal import Principal


def introspected_principal(
    answer: Mapping[str, object],
    *,
    issuer: str,
    audiences: Collection[str],
    now: float,
    leeway: float,
    note: Note | None = None,
) -> Principal:
    """The caller that an active ``answer`` of ``issuer`` describes. now, leeway: seconds. Raises VerificationError."""
    answer = {name: value for name, value in answer.items() if value is not None}
    if "iss" in answer:
        claims.check_issuer(answer, issuer, note)
    named = claims.audiences(answer)
    claims.check_audience(named, audiences, note)
    expires = claims.check_expiry(answer, now, leeway, note)
    claims.check_not_future(answer, "nbf", now, leeway, note)
    claims.check_not_future(answer, "iat", now, leeway, note)
    claims.numeric_date(answer, "auth_time", CLAIMS)
    for name in ("acr", "sid"):
        claims.optional_text(answer, name)
    claims.optional_texts(answer, "amr")
    client_id = claims.text(answer, "client_id", check=CLIENT, max_length=claims.MAX_URL_LENGTH)
    return Principal(
        client_id=client_id,
        subject=claims.text(answer, "sub", check=SUBJECT) if "sub" in answer else client_id,
        scopes=_scopes(answer),
        issuer=issuer,
        audience=named,
        token_id=claims.optional_text(answer, "jti") or "",
        expires_at=expires,
        grant_id=claims.optional_text(answer, "grant_id"),
        rev=claims.whole_number(answer, "rev"),
        claims=answer,
    )


def _scopes(answer: Mapping[str, object]) -> frozenset[str]:
    scope = answer.get("scope", "")
    if not isinstance(scope, str):
        raise VerificationError(SCOPE, "scope unusable", seen=shown(scope), expected="a text")
    return frozenset(scope.split())
