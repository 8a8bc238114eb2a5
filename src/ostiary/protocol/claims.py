"""The checks that every JWT of ours shares: issuer, audience and times (RFC 7519 section 4.1, RFC 8725bis 3.8-3.9).

Each function raises VerificationError under the name of its check, or notes the passed check.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import floor
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol.checks import (
    AUDIENCE,
    CLAIMS,
    EXPIRY,
    ISSUED_AT,
    ISSUER,
    LIFETIME,
    NOT_BEFORE,
    SUBJECT,
    TYPE,
    shown,
)
from ostiary.protocol.checks import Note as Note
from ostiary.protocol.jws import CompactJws, media_type

MAX_TEXT_LENGTH = 256
MAX_URL_LENGTH = 2048
LAST_TIME: Final = 2**53
"""Seconds; integers up to here are exact as floats, and a longer one (JSON has no end) would overflow."""


def text(
    claims: Mapping[str, object], name: str, *, check: str | None = None, max_length: int = MAX_TEXT_LENGTH
) -> str:
    """The claim ``name`` if it is a text of 1 to ``max_length`` characters, else VerificationError(``check``)."""
    value = claims.get(name)
    if isinstance(value, str) and 0 < len(value) <= max_length:
        return value
    raise VerificationError(
        check or CLAIMS,
        f"{name} missing or unusable",
        seen=_told(claims, name),
        expected=f"a text of 1 to {max_length} characters",
        mend=f'send the claim "{name}"',
    )


def optional_text(claims: Mapping[str, object], name: str, *, max_length: int = MAX_TEXT_LENGTH) -> str | None:
    """The claim ``name``, or None where it is absent. Raises VerificationError("claims")."""
    return text(claims, name, max_length=max_length) if name in claims else None


def optional_texts(claims: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    """The claim ``name``, an array of texts, or None where it is absent. Raises VerificationError("claims")."""
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise VerificationError(CLAIMS, f"{name} unusable", seen=shown(value), expected="an array of texts")


def whole_number(claims: Mapping[str, object], name: str) -> int | None:
    """The claim ``name`` if it is a whole number from 0 on, or None where it is absent."""
    value = claims.get(name)
    if name not in claims or (type(value) is int and value >= 0):
        return value if isinstance(value, int) else None
    raise VerificationError(CLAIMS, f"{name} unusable", seen=shown(value), expected="a whole number from 0 on")


def numeric_date(claims: Mapping[str, object], name: str, check: str) -> float | None:
    """The claim ``name`` in seconds since the epoch, or None where it is absent.

    "A JSON numeric value" (RFC 7519 section 2): neither a text nor a boolean, and one that can be reckoned with.
    """
    value = claims.get(name)
    kind = type(value)
    if (kind is int or kind is float) and -LAST_TIME <= value <= LAST_TIME:  # type: ignore[operator]
        return value  # type: ignore[return-value]
    if name not in claims:
        return None
    raise VerificationError(check, f"{name} is not a time", seen=shown(value), expected="a number of seconds")


def check_type(jws: CompactJws, expected: str, note: Note | None) -> None:
    """The header ``typ`` must be present and be the media type ``expected`` (RFC 8725bis 3.11)."""
    typ = jws.header.typ
    if typ != expected and (typ is None or media_type(typ) != expected):
        raise VerificationError(
            TYPE,
            "wrong type of token",
            seen=shown(typ),
            expected=expected,
            mend=f"send a token whose typ is {expected}",
        )
    if note is not None:
        note(TYPE, shown(typ), expected)


def check_issuer(claims: Mapping[str, object], expected: str, note: Note | None) -> None:
    """``iss`` must be ``expected``, character by character."""
    issuer = claims.get("iss")
    if issuer != expected:
        raise VerificationError(
            ISSUER,
            "issuer mismatch",
            seen=_told(claims, "iss"),
            expected=expected,
            mend="ask the configured issuer for the token, and compare both spellings to the last character",
        )
    if note is not None:
        note(ISSUER, expected, expected)


def check_client_names_itself(claims: Mapping[str, object], client_id: str, note: Note | None) -> None:
    """``iss`` and ``sub`` must both be ``client_id``, the owner of the key (RFC 7523 section 3)."""
    check_issuer(claims, client_id, None)
    if claims.get("sub") != client_id:
        raise VerificationError(
            SUBJECT,
            "subject mismatch",
            seen=_told(claims, "sub"),
            expected=client_id,
            mend="set sub to the client's id",
        )
    if note is not None:
        note(ISSUER, client_id, client_id)
        note(SUBJECT, client_id, client_id)


def named_client(claims: Mapping[str, object]) -> str:
    """The client that an unverified JWT claims to be of: ``iss``, which must equal ``sub``."""
    client_id = text(claims, "iss", check=ISSUER)
    if text(claims, "sub", check=SUBJECT) != client_id:
        raise VerificationError(
            SUBJECT,
            "subject mismatch",
            seen=_told(claims, "sub"),
            expected=shown(client_id),
            mend="set iss and sub to the client's id",
        )
    return client_id


def check_audience(audiences: Collection[str], mine: str | Collection[str], note: Note | None) -> None:
    """One of ``audiences`` must be ``mine`` (or one of mine).

    "Each principal intended to process the JWT MUST identify itself with a value in the audience claim" (RFC 7519
    section 4.1.3).
    """
    own = (mine,) if isinstance(mine, str) else mine
    for named in audiences:
        if named in own:
            break
    else:
        raise VerificationError(
            AUDIENCE,
            "audience mismatch",
            seen=shown(" ".join(audiences)),
            expected=shown(" ".join(own)),
            mend="ask for a token for this API: the parameter resource of the token request",
        )
    if note is not None:
        note(AUDIENCE, shown(" ".join(audiences)), shown(" ".join(own)))


def audiences(claims: Mapping[str, object]) -> tuple[str, ...]:
    """``aud`` as a tuple: a text or an array of texts, present and not empty."""
    value = claims.get("aud")
    if isinstance(value, str) and value:
        return (value,)
    if isinstance(value, list) and value and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    raise VerificationError(
        AUDIENCE, "audience missing or unusable", seen=_told(claims, "aud"), expected="a text or an array of texts"
    )


def check_sole_audience(claims: Mapping[str, object], mine: str, note: Note | None) -> None:
    """``aud`` must be ``mine`` and nothing beside it: a text, or an array of one.

    RFC 10070 section 4: the issuer identifier as the sole value; endpoints' URLs and lists let another server's
    assertion pass here (CVE-2025-27370).
    """
    value = claims.get("aud")
    if value != mine and value != [mine]:
        raise VerificationError(
            AUDIENCE,
            "audience mismatch",
            seen=_told(claims, "aud"),
            expected=mine,
            mend=f"make the claim aud exactly {mine}, alone",
        )
    if note is not None:
        note(AUDIENCE, shown(value), mine)


def check_expiry(claims: Mapping[str, object], now: float, leeway: float, note: Note | None) -> float:
    """``exp``, which must be present and ``not_expired``."""
    expires = numeric_date(claims, "exp", EXPIRY)
    if expires is None:
        raise VerificationError(EXPIRY, "exp missing", seen="absent", expected="a time", mend='send the claim "exp"')
    not_expired(expires, now, leeway, note)
    return expires


def not_expired(expires: float, now: float, leeway: float, note: Note | None) -> None:
    """``exp`` must, by ``leeway`` seconds, be later than ``now``; all in seconds since the epoch."""
    # "on or after which the JWT MUST NOT be accepted for processing" RFC 7519 4.1.4
    if expires + leeway <= now:
        raise VerificationError(
            EXPIRY, "expired", seen=shown(expires), expected=f"later than {now - leeway:.0f}", mend="get a new one"
        )
    if note is not None:
        note(EXPIRY, shown(expires), f"later than {now - leeway:.0f}")


def check_not_future(
    claims: Mapping[str, object], name: str, now: float, leeway: float, note: Note | None
) -> float | None:
    """``nbf`` or ``iat``, which must be ``not_future`` where it is present."""
    check = NOT_BEFORE if name == "nbf" else ISSUED_AT
    value = numeric_date(claims, name, check)
    if value is not None:
        not_future(value, check, now, leeway, note)
    return value


def not_future(value: float, check: str, now: float, leeway: float, note: Note | None) -> None:
    """A time must be at most ``leeway`` seconds after ``now``; all in seconds since the epoch."""
    if value > now + leeway:
        raise VerificationError(
            check,
            "not valid yet",
            seen=shown(value),
            expected=f"at most {now + leeway:.0f}",
            mend="set the clock of the machine that made it, or of this one",
        )
    if note is not None:
        note(check, shown(value), f"at most {now + leeway:.0f}")


def check_short_life(
    claims: Mapping[str, object], now: float, max_life: float, leeway: float, note: Note | None
) -> float:
    """``exp`` of a single-use JWT: neither past nor further off than ``max_life``, nor ``iat`` longer ago; returns it.

    A far ``exp`` would make the replay memory keep its ``jti`` long. ``nbf`` and ``iat`` may be ``leeway`` ahead.
    """
    expires = check_expiry(claims, now, leeway, note)
    check_not_future(claims, "nbf", now, leeway, note)
    issued = check_not_future(claims, "iat", now, leeway, note)
    too_long = expires > now + max_life + leeway
    too_old = issued is not None and issued < now - max_life - leeway
    if too_long or too_old:
        raise VerificationError(
            LIFETIME,
            "life too long",
            seen=f"exp {shown(expires)}, iat {shown(issued)}",
            expected=f"a life of at most {max_life:.0f} s around {now:.0f}",
            mend="make a new one for each request, with a short life",
        )
    if note is not None:
        note(LIFETIME, f"exp {shown(expires)}, iat {shown(issued)}", f"at most {max_life:.0f} s")
    return expires


def usable_from(claims: Mapping[str, object], expires: float, max_life: float, leeway: float) -> int:
    """The first second in which ``check_short_life`` can have let a single-use JWT pass, by the verifier's own clock.

    Before that its ``exp`` was too far off, or its ``iat`` in the future. expires: what that check returned.
    """
    issued = numeric_date(claims, "iat", ISSUED_AT)
    return floor(expires - max_life - leeway if issued is None else max(expires - max_life, issued) - leeway)


def _told(claims: Mapping[str, object], name: str) -> str:
    return shown(claims[name]) if name in claims else "absent"
