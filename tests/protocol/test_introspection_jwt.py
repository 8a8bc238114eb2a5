"""Signed introspection answers (RFC 9701): each defect by itself is refused, and none passes for an access token."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.errors import VerificationError
from ostiary.protocol import access_token, introspection_jwt, strict_json
from tests.protocol.keys import API, ISSUER, NOW, signed, signing_key


def claims(**changes: Any) -> dict[str, Any]:
    members = {"iss": ISSUER, "aud": API, "iat": NOW, "token_introspection": {"active": True, "sub": "shop"}}
    return {name: value for name, value in (members | changes).items() if value is not None}


def verified(members: object, typ: str = introspection_jwt.TYP, *, signer: int = 0) -> dict[str, object]:
    token = signed(members, typ, key=signing_key(number=signer))
    return introspection_jwt.verify(token, signing_key().verification_key, issuer=ISSUER, audience=API, now=NOW)


def test_the_answer_is_what_stands_inside() -> None:
    assert verified(claims()) == {"active": True, "sub": "shop"}
    assert verified(claims(token_introspection={"active": False})) == {"active": False}


def test_what_is_built_for_one_name_or_several_verifies() -> None:
    for names in ([API], ["https://other.example", API]):
        payload = introspection_jwt.build(issuer=ISSUER, audience=names, answer={"active": False}, now=NOW)
        assert verified(strict_json.decode_object(payload)) == {"active": False}


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "https://bills.example.com"}, "audience"),
        ({"aud": None}, "audience"),
        ({"iat": None}, "issued_at"),
        ({"iat": NOW + 11}, "issued_at"),
        ({"sub": "shop"}, "claims"),
        ({"exp": NOW + 300}, "claims"),
        ({"token_introspection": None}, "claims"),
        ({"token_introspection": "active"}, "claims"),
        ({"token_introspection": {}}, "claims"),
        ({"token_introspection": {"active": "true"}}, "claims"),
    ],
)
def test_one_defect_is_refused(changed: dict[str, Any], check: str) -> None:
    with pytest.raises(VerificationError) as refusal:
        verified(claims(**changed))
    assert refusal.value.check == check


@pytest.mark.parametrize("typ", ["at+jwt", "JWT", "introspection+jwt"])
def test_another_type_is_refused(typ: str) -> None:
    with pytest.raises(VerificationError, match="type"):
        verified(claims(), typ)


def test_another_key_is_refused() -> None:
    with pytest.raises(VerificationError, match="signature"):
        verified(claims(), signer=1)


def test_an_answer_is_no_access_token_even_with_all_that_one_has() -> None:
    """standards 74"""
    token = {"sub": "shop", "client_id": "shop", "jti": "1", "exp": NOW + 300, "scope": "orders:read"}
    with pytest.raises(VerificationError, match="type"):
        access_token.verify(
            signed(claims(**token), introspection_jwt.TYP),
            signing_key().verification_key,
            issuer=ISSUER,
            audience=API,
            now=NOW,
        )
