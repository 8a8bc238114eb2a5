"""Whom a security event is about: subject identifiers (RFC 9493 section 3), complex subjects (SSF 1.0 section 3)."""

from __future__ import annotations

from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol.checks import SUBJECT, shown

Subject = dict[str, object]
"""The members of one subject identifier as they stand in a token, ``format`` among them."""

ISS_SUB: Final = "iss_sub"
OPAQUE: Final = "opaque"
COMPLEX: Final = "complex"
MAX_MEMBER_LENGTH: Final = 2048

FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "account": ("uri",),
    "email": ("email",),
    ISS_SUB: ("iss", "sub"),
    OPAQUE: ("id",),
    "phone_number": ("phone_number",),
    "did": ("url",),
    "uri": ("uri",),
    "jwt_id": ("iss", "jti"),
}
"""The simple formats, each with its members: RFC 9493 section 3.2, SSF 1.0 section 3.5."""

COMPLEX_MEMBERS: Final = ("user", "device", "session", "application", "tenant", "org_unit", "group")
"""What a complex subject may tell of its one principal: SSF 1.0 section 3.3."""


def iss_sub(issuer: str, subject: str) -> Subject:
    """A user as their provider calls them: RFC 9493 section 3.2.3."""
    return {"format": ISS_SUB, "iss": issuer, "sub": subject}


def opaque(identifier: str) -> Subject:
    """Something that has a name without parts, such as a session or a stream: RFC 9493 section 3.2.4."""
    return {"format": OPAQUE, "id": identifier}


def complex_subject(**members: Subject) -> Subject:
    """One principal by several attributes, such as ``user`` and ``session``: SSF 1.0 section 3.3."""
    return {"format": COMPLEX, **members}


def check_subject(value: object) -> Subject:
    """``value`` if it is a subject identifier of a known format. Raises VerificationError("subject").

    "A Subject Identifier MUST NOT contain any members prohibited or not described by its Identifier Format and MUST
    contain all members required by its Identifier Format." RFC 9493 section 3
    """
    if not isinstance(value, dict):
        raise _refused("no subject identifier", "an object with a format")
    if value.get("format") == COMPLEX:
        return _checked_complex(value)
    return _checked_simple(value)


def user_of(subject: Subject) -> tuple[str, str] | None:
    """``iss`` and ``sub`` of the user that a checked subject names in this way, None if it names none so."""
    named = subject.get("user") if subject.get("format") == COMPLEX else subject
    if isinstance(named, dict) and named.get("format") == ISS_SUB:
        return str(named["iss"]), str(named["sub"])
    return None


def session_of(subject: Subject) -> str | None:
    """The session that a checked complex subject names by an opaque identifier, None if it names none."""
    named = subject.get("session") if subject.get("format") == COMPLEX else None
    return str(named["id"]) if isinstance(named, dict) and named.get("format") == OPAQUE else None


def _checked_complex(value: Subject) -> Subject:
    members = value.keys() - {"format"}
    unknown = members - set(COMPLEX_MEMBERS)
    if not members or unknown:
        # SSF 1.0 3.6: a receiver discards what it cannot process; an unknown member narrows we know not what.
        raise _refused(f"the members {', '.join(sorted(unknown)) or 'none'}", f"some of {', '.join(COMPLEX_MEMBERS)}")
    for name in members:
        _checked_simple(value[name])
    return value


def _checked_simple(value: object) -> Subject:
    if not isinstance(value, dict):
        raise _refused("no subject identifier", "an object with a format")
    kind = value.get("format")
    wanted = FORMATS.get(kind) if isinstance(kind, str) else None
    if wanted is None:
        raise _refused(f"the format {shown(kind)}", f"one of {', '.join((*FORMATS, COMPLEX))}")
    if value.keys() != {"format", *wanted}:
        raise _refused(f"the members {', '.join(sorted(value))}", f"format, {', '.join(wanted)}")
    for name in wanted:
        text = value[name]
        if not isinstance(text, str) or not 0 < len(text) <= MAX_MEMBER_LENGTH:
            raise _refused(f"{name} {shown(text)}", f"a text of 1 to {MAX_MEMBER_LENGTH} characters")
    return value


def _refused(seen: str, expected: str) -> VerificationError:
    return VerificationError(SUBJECT, "the subject is malformed or of an unknown format", seen=seen, expected=expected)
