"""Security event tokens (standards 78): each check refuses alone; joserfc is the oracle for what is built."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jws as oracle
from joserfc.jwk import ECKey

from ostiary.errors import VerificationError
from ostiary.protocol import jws, security_event
from ostiary.protocol.security_event import SecurityEvent
from ostiary.protocol.subject_identifier import (
    FORMATS,
    check_subject,
    complex_subject,
    iss_sub,
    opaque,
    session_of,
    user_of,
)
from tests.protocol.keys import CLIENT, ISSUER, NOW, raw_token, refused_by, signed, signing_key

DISABLED = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
USER = iss_sub(ISSUER, "usr_1")
AGE = 3600


def _claims(**changes: Any) -> dict[str, Any]:
    given = {
        "iss": ISSUER,
        "aud": CLIENT,
        "iat": NOW - 5,
        "jti": "j-1",
        "sub_id": USER,
        "events": {DISABLED: {"reason": "hijacking"}},
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def _verify(parsed: jws.CompactJws, number: int = 0) -> SecurityEvent:
    key = signing_key(number=number).verification_key
    return security_event.verify(parsed, key, issuer=ISSUER, audience=CLIENT, now=NOW, max_age=AGE)


def test_what_is_built_is_a_set_to_an_independent_library() -> None:
    """standards 78: explicit typ, no exp, no sub, sub_id."""
    payload = security_event.build(
        issuer=ISSUER, audience=CLIENT, jti="j-1", issued_at=NOW, subject=USER, event_type=DISABLED, event={}, txn="t"
    )
    key = signing_key()
    token = jws.sign(payload, key, typ=security_event.TYP)
    known = ECKey.import_key(json.loads(json.dumps(key.verification_key.public_jwk())))
    found = oracle.deserialize_compact(token, known, algorithms=["ES256"])
    assert found.headers()["typ"] == "secevent+jwt"
    claims = json.loads(found.payload or b"")
    assert claims == _claims(iat=NOW, txn="t") | {"events": {DISABLED: {}}}
    assert not {"exp", "sub"} & claims.keys()


def test_a_good_token_tells_its_event() -> None:
    found = _verify(signed(_claims(txn="t-1"), security_event.TYP))
    assert (found.event_type, found.event, found.subject) == (DISABLED, {"reason": "hijacking"}, USER)
    assert (found.jti, found.txn, found.happened_at) == ("j-1", "t-1", NOW - 5)


def test_the_time_of_the_event_goes_before_that_of_the_token() -> None:
    events = {DISABLED: {"event_timestamp": NOW - 900}}
    assert _verify(signed(_claims(events=events), security_event.TYP)).happened_at == NOW - 900


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("issuer", {"iss": "https://other.example"}),
    ("issuer", {"iss": None}),
    ("audience", {"aud": "someone-else"}),
    ("audience", {"aud": None}),
    ("jti", {"jti": None}),
    ("jti", {"jti": ""}),
    ("issued_at", {"iat": None}),
    ("issued_at", {"iat": NOW + 100}),
    ("issued_at", {"iat": NOW - AGE - 1}),
    ("claims", {"exp": NOW + 60}),
    ("claims", {"sub": "usr_1"}),
    ("events", {"events": None}),
    ("events", {"events": {}}),
    ("events", {"events": {DISABLED: {}, "https://other.example/event": {}}}),
    ("events", {"events": {DISABLED: "text"}}),
    ("events", {"events": {"": {}}}),
    ("events", {"events": {DISABLED: {"event_timestamp": "yesterday"}}}),
    ("subject", {"sub_id": None}),
    ("subject", {"sub_id": {"format": "shoe_size", "size": "42"}}),
]


@pytest.mark.parametrize(("check", "changes"), REFUSED, ids=[f"{check}-{changes}" for check, changes in REFUSED])
def test_each_check_refuses_alone(check: str, changes: dict[str, Any]) -> None:
    """standards 78."""
    with pytest.raises(VerificationError) as error:
        _verify(signed(_claims(**changes), security_event.TYP))
    assert refused_by(error.value) == check


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "logout+jwt", ""])
def test_another_type_of_token_is_no_event(typ: str) -> None:
    """standards 68 and 78: an ID token or a logout token of the same key cannot pass for one."""
    header = {"alg": "ES256"} | ({"typ": typ} if typ else {})
    token = raw_token(header, json.dumps(_claims()).encode(), signing_key())
    with pytest.raises(VerificationError) as error:
        _verify(jws.parse(token))
    assert refused_by(error.value) == "type"


def test_a_forged_token_is_refused() -> None:
    with pytest.raises(VerificationError) as error:
        _verify(signed(_claims(), security_event.TYP, key=signing_key(number=1)))
    assert refused_by(error.value) == "signature"


@pytest.mark.parametrize("kept", [0, 10, -10, -1])
def test_a_truncated_token_is_refused(kept: int) -> None:
    whole = jws.sign(json.dumps(_claims()).encode(), signing_key(), typ=security_event.TYP)
    with pytest.raises(VerificationError):
        _verify(jws.parse(whole[:kept]))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_of_rfc_9493_is_read_and_holds_its_members_alone(kind: str) -> None:
    subject: dict[str, object] = {"format": kind, **dict.fromkeys(FORMATS[kind], "x")}
    assert check_subject(subject) == subject
    for wrong in (subject | {"more": "x"}, {"format": kind}, subject | dict.fromkeys(FORMATS[kind], 7)):
        with pytest.raises(VerificationError):
            check_subject(wrong)


def test_a_complex_subject_names_its_user_and_its_session() -> None:
    subject = complex_subject(user=USER, session=opaque("ses_1"))
    assert check_subject(subject) == subject
    assert (user_of(subject), session_of(subject)) == ((ISSUER, "usr_1"), "ses_1")
    assert (user_of(USER), session_of(USER)) == ((ISSUER, "usr_1"), None)
    assert user_of(opaque("x")) is None


@pytest.mark.parametrize(
    "subject",
    [
        {"format": "complex"},
        {"format": "complex", "user": "usr_1"},
        {"format": "complex", "user": {"format": "complex", "user": USER}},
        {"format": "complex", "user": USER, "planet": opaque("mars")},
        {"format": ["iss_sub"], "iss": "a", "sub": "b"},
        [],
        "usr_1",
    ],
)
def test_a_subject_that_cannot_be_understood_whole_is_refused(subject: object) -> None:
    """SSF 1.0 3.6: a member that is passed over would make the event about somebody else."""
    with pytest.raises(VerificationError) as error:
        check_subject(subject)
    assert refused_by(error.value) == "subject"
