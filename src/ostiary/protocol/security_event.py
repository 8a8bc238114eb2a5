"""Security event tokens (SET): RFC 8417, as OpenID Shared Signals Framework 1.0 section 4 profiles them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jws, strict_json
from ostiary.protocol.checks import CLAIMS, ISSUED_AT, JTI, checked_leeway, shown
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.subject_identifier import Subject, check_subject

TYP: Final = "secevent+jwt"
MEDIA_TYPE: Final = "application/secevent+jwt"
EVENTS: Final = "events"
"""The name of the check that looks at the events of a token."""

MAX_EVENT_TYPE: Final = 512


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """What a verified token tells.

    event_type: a URI; event: what it says further. issued_at: seconds since the epoch. txn: what it came of, "" if
    that is not told.
    """

    issuer: str
    jti: str
    issued_at: float
    subject: Subject
    event_type: str
    event: dict[str, object]
    txn: str = ""

    @property
    def happened_at(self) -> float:
        """When it happened, in seconds since the epoch: CAEP 1.0 section 2 ``event_timestamp``, else ``iat``."""
        value = self.event.get("event_timestamp")
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else self.issued_at


def build(
    *,
    issuer: str,
    audience: str,
    jti: str,
    issued_at: int,
    subject: Subject,
    event_type: str,
    event: dict[str, object],
    txn: str = "",
) -> bytes:
    """The payload of a token with one event; issued_at: seconds since the epoch.

    Neither ``exp`` nor ``sub``: what could be taken for an ID token or an access token must not be there. SSF 1.0
    sections 4.1.3 and 4.1.7.
    """
    members: dict[str, object] = {"iss": issuer, "jti": jti, "iat": issued_at, "aud": audience, "sub_id": subject}
    if txn:
        members["txn"] = txn
    return strict_json.encode(members | {"events": {event_type: event}})


def verify(
    parsed: jws.CompactJws,
    key: VerificationKey,
    *,
    issuer: str,
    audience: str,
    now: float,
    max_age: float,
    leeway: float = 60,
) -> SecurityEvent:
    """What ``parsed`` tells, if ``issuer``, whose ``key`` it is, made it for ``audience``.

    max_age: seconds for which its ``jti`` is kept; an older one could not be known again. now, leeway: seconds. Raises
    VerificationError by the name of the check that failed.
    """
    checked_leeway(leeway)
    # SSF 1.0 4.1.6: "SSF events MUST use explicit typing", so that no other token of the same key passes for one.
    common.check_type(parsed, TYP, None)
    jws.verify(parsed, key)
    members = parsed.claims()
    common.check_issuer(members, issuer, None)
    common.check_audience(common.audiences(members), audience, None)
    _check_absent(members)
    jti = common.text(members, "jti", check=JTI)
    issued_at = _issued_at(members, now, max_age, leeway)
    event_type, event = _only_event(members)
    txn = common.optional_text(members, "txn") or ""
    return SecurityEvent(issuer, jti, issued_at, check_subject(members.get("sub_id")), event_type, event, txn)


def _check_absent(members: dict[str, object]) -> None:
    # SSF 1.0 4.1.3: "The JWT 'sub' claim MUST NOT be present in any SET containing an SSF event"; 4.1.7: "The 'exp'
    # claim MUST NOT be used in SSF SETs."
    for name in ("exp", "sub"):
        if name in members:
            raise VerificationError(
                CLAIMS, "no security event token", seen=f"the claim {name}", expected="neither exp nor sub"
            )


def _issued_at(members: dict[str, object], now: float, max_age: float, leeway: float) -> float:
    issued_at = common.check_not_future(members, "iat", now, leeway, None)
    if issued_at is None or issued_at < now - max_age:
        raise VerificationError(
            ISSUED_AT, "the event is too old", seen=shown(issued_at), expected=f"made within {max_age:.0f} s"
        )
    return issued_at


def _only_event(members: dict[str, object]) -> tuple[str, dict[str, object]]:
    events = members.get("events")
    # SSF 1.0 4.1.8: "The 'events' claim SHOULD contain only one event."
    if not isinstance(events, dict) or len(events) != 1:
        seen = f"{len(events)} events" if isinstance(events, dict) else shown(events)
        raise VerificationError(EVENTS, "not exactly one event", seen=seen, expected="an object with one event")
    event_type, event = next(iter(events.items()))
    if not 0 < len(event_type) <= MAX_EVENT_TYPE or not isinstance(event, dict):
        raise VerificationError(EVENTS, "an unusable event", seen=shown(event_type), expected="a URI and an object")
    common.numeric_date(event, "event_timestamp", EVENTS)
    return event_type, event
