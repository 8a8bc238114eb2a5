"""Each kind of JWT of ours: what is taken, and for each check a token in which only that check fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import access_token, client_assertion, client_request_jwt, jws, next_key, strict_json
from ostiary.protocol.jwk import SigningKey
from tests.protocol.keys import API, CLIENT, ISSUER, NOW, raw_token, signed, signing_key

KEY = signing_key()
NEXT = signing_key("EdDSA")
REQUEST_URL = f"{API}/orders?page=2"

Claims = dict[str, Any]
Change = Callable[[Claims], object]


def access_claims() -> Claims:
    built = access_token.AccessTokenClaims(
        iss=ISSUER,
        sub=CLIENT,
        aud=(API,),
        exp=NOW + 600,
        iat=NOW,
        jti="j-1",
        client_id=CLIENT,
        scope="orders:read orders:write",
        grant_id="g-1",
        rev=7,
    )
    return strict_json.decode_object(access_token.build(built))


def assertion_claims() -> Claims:
    return strict_json.decode_object(client_assertion.build(CLIENT, ISSUER, now=NOW, jti="j-1"))


def request_claims() -> Claims:
    built = client_request_jwt.build(CLIENT, API, method="GET", url=REQUEST_URL, now=NOW, jti="j-1")
    return strict_json.decode_object(built)


def next_key_claims() -> Claims:
    return strict_json.decode_object(next_key.build(CLIENT, ISSUER, NEXT, now=NOW, jti="j-1"))


def take_access(claims: Claims, *, typ: str = "at+jwt", now: float = NOW, key: SigningKey = KEY, **more: Any) -> Any:
    expected = {"issuer": ISSUER, "audience": API, **more}
    return access_token.verify(signed(claims, typ, key=key), KEY.verification_key, now=now, **expected)


def take_assertion(claims: Claims, *, typ: str = client_assertion.TYP, now: float = NOW, key: SigningKey = KEY) -> Any:
    token = signed(claims, typ, key=key)
    return client_assertion.verify(token, KEY.verification_key, client_id=CLIENT, issuer=ISSUER, now=now)


def take_request(
    claims: Claims, *, typ: str = client_request_jwt.TYP, now: float = NOW, key: SigningKey = KEY, **more: Any
) -> Any:
    expected = {"client_id": CLIENT, "audience": API, "method": "GET", "url": REQUEST_URL, **more}
    return client_request_jwt.verify(signed(claims, typ, key=key), KEY.verification_key, now=now, **expected)


def take_next_key(claims: Claims, *, typ: str = next_key.TYP, now: float = NOW, key: SigningKey = KEY) -> Any:
    token = signed(claims, typ, key=key)
    return next_key.verify(token, KEY.verification_key, client_id=CLIENT, issuer=ISSUER, now=now)


KINDS: dict[str, tuple[Callable[[], Claims], Callable[..., Any], str]] = {
    "access token": (access_claims, take_access, access_token.TYP),
    "client assertion": (assertion_claims, take_assertion, client_assertion.TYP),
    "client request": (request_claims, take_request, client_request_jwt.TYP),
    "next key": (next_key_claims, take_next_key, next_key.TYP),
}
SINGLE_USE = [kind for kind in KINDS if kind != "access token"]


def without(name: str) -> Change:
    return lambda claims: claims.pop(name)


def with_(**members: Any) -> Change:
    return lambda claims: claims.update(members)


@pytest.mark.parametrize("kind", KINDS)
def test_good_token_is_taken(kind: str) -> None:
    make, take, _ = KINDS[kind]
    assert take(make()).jti == "j-1"


@pytest.mark.parametrize("kind", KINDS)
def test_signature_of_a_stranger_is_refused(kind: str) -> None:
    make, take, _ = KINDS[kind]
    with pytest.raises(VerificationError, match=r"^signature:"):
        take(make(), key=signing_key("ES256", 1))


@pytest.mark.parametrize("kind", KINDS)
def test_token_of_one_kind_is_refused_where_another_is_expected(kind: str) -> None:
    """attack 16's types, standards 3, 8, 47, 68: every other explicit type is refused, whatever the claims say."""
    make, take, own = KINDS[kind]
    others = {typ for _, _, typ in KINDS.values()} - {own}
    for typ in (*others, "dpop+jwt", "oauth-authz-req+jwt", "secevent+jwt", "logout+jwt", next_key.PROOF_TYP):
        with pytest.raises(VerificationError, match=r"^type:"):
            take(make(), typ=typ)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "client assertion"])
def test_token_without_its_type_is_refused(kind: str) -> None:
    """standards 8 and 47."""
    make, take, _ = KINDS[kind]
    with pytest.raises(VerificationError, match=r"^type:"):
        take(make(), typ="JWT")
    untyped = jws.parse(raw_token({"alg": "ES256"}, strict_json.encode(access_claims()), KEY))
    with pytest.raises(VerificationError, match=r"^type:"):
        access_token.verify(untyped, KEY.verification_key, issuer=ISSUER, audience=API, now=NOW)


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT", "Application/At+Jwt"])
def test_type_of_an_access_token_is_a_media_type(typ: str) -> None:
    """standards 47."""
    assert take_access(access_claims(), typ=typ)


@pytest.mark.parametrize("typ", ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt"])
def test_assertion_with_its_type_the_general_one_or_none_is_taken(typ: str) -> None:
    """standards 3."""
    assert take_assertion(assertion_claims(), typ=typ).client_id == CLIENT
    untyped = jws.parse(raw_token({"alg": "ES256"}, strict_json.encode(assertion_claims()), KEY))
    assert client_assertion.verify(untyped, KEY.verification_key, client_id=CLIENT, issuer=ISSUER, now=NOW)


BAD_JTI: list[object] = ["", "j" * 257, 7, ["j"]]
BAD_EXPIRY: list[object] = ["1", True, [], NOW - 10, 0, -1]
FAULTS: list[tuple[str, str, str, Change]] = [
    *[
        (kind, check, f"{name} {fault}", change)
        for kind in KINDS
        for check, name in (("issuer", "iss"), ("audience", "aud"), ("expiry", "exp"), ("jti", "jti"))
        for fault, change in (
            ("missing", without(name)),
            ("null", with_(**{name: None})),
            ("object", with_(**{name: {}})),
        )
    ],
    *[(kind, "expiry", f"exp {value!r}", with_(exp=value)) for kind in KINDS for value in BAD_EXPIRY],
    *[
        (kind, "not_before", f"nbf {value!r}", with_(nbf=value))
        for kind in KINDS
        for value in ("1", True, None, NOW + 11)
    ],
    *[
        (kind, "issued_at", f"iat {value!r}", with_(iat=value))
        for kind in KINDS
        for value in ("1", True, None, NOW + 11)
    ],
    *[(kind, "jti", f"jti {value!r}"[:20], with_(jti=value)) for kind in KINDS for value in BAD_JTI],
    *[(kind, "issuer", "iss of another", with_(iss="https://evil.example")) for kind in KINDS],
    *[(kind, "audience", "aud of another", with_(aud="https://evil.example")) for kind in KINDS],
    *[(kind, "audience", "aud empty", with_(aud=[])) for kind in KINDS],
    *[(kind, "audience", "aud of numbers", with_(aud=[1])) for kind in KINDS],
    *[(kind, "subject", "sub missing", without("sub")) for kind in KINDS],
    *[(kind, "subject", "sub not a text", with_(sub=1)) for kind in KINDS],
    *[(kind, "subject", "sub of another", with_(sub="client-8")) for kind in SINGLE_USE],
    *[(kind, "issuer", "iss of another client", with_(iss="client-8")) for kind in SINGLE_USE],
    *[(kind, "lifetime", "iat too long ago", with_(iat=NOW - 311)) for kind in SINGLE_USE],
    *[(kind, "lifetime", "exp too far", with_(exp=NOW + 311)) for kind in SINGLE_USE],
    ("access token", "issuer", "iss with a slash", with_(iss=ISSUER + "/")),
    ("access token", "issuer", "iss in another case", with_(iss=ISSUER.upper())),
    ("access token", "issued_at", "iat missing", without("iat")),
    ("access token", "client", "client_id missing", without("client_id")),
    ("access token", "client", "client_id empty", with_(client_id="")),
    ("access token", "scope", "scope a list", with_(scope=["orders:read"])),
    ("access token", "scope", "scope of two spaces", with_(scope="a  b")),
    ("access token", "scope", "scope with a quote", with_(scope='a"b')),
    ("access token", "scope", "scope with a line break", with_(scope="a\nb")),
    ("access token", "claims", "rev a text", with_(rev="7")),
    ("access token", "claims", "rev below zero", with_(rev=-1)),
    ("access token", "claims", "rev a boolean", with_(rev=True)),
    ("access token", "claims", "grant_id a number", with_(grant_id=1)),
    ("access token", "claims", "amr a text", with_(amr="pwd")),
    ("access token", "claims", "cnf a text", with_(cnf="x")),
    ("access token", "claims", "cnf null", with_(cnf=None)),
    ("access token", "claims", "auth_time a text", with_(auth_time="1")),
    ("client assertion", "audience", "aud the token endpoint", with_(aud=f"{ISSUER}/token")),
    ("client request", "issued_at", "iat missing", without("iat")),
    ("client request", "lifetime", "exp above a minute", with_(exp=NOW + 71)),
    ("client request", "method", "htm missing", without("htm")),
    ("client request", "method", "htm of another", with_(htm="POST")),
    ("client request", "method", "htm in another case", with_(htm="get")),
    ("client request", "url", "htu missing", without("htu")),
    ("client request", "url", "htu of another path", with_(htu=f"{API}/orders/2")),
    ("client request", "url", "htu of another host", with_(htu="https://evil.example/orders")),
    ("client request", "url", "htu in http", with_(htu="http://orders.example.com/orders")),
    ("client request", "url", "htu relative", with_(htu="/orders")),
    ("next key", "key", "jwk missing", without("jwk")),
    ("next key", "key", "jwk a text", with_(jwk="x")),
    ("next key", "key", "jwk private", with_(jwk=NEXT.private_jwk())),
    ("next key", "key", "jwk the present one", with_(jwk=KEY.verification_key.public_jwk())),
    ("next key", "proof", "proof missing", without("proof")),
    ("next key", "proof", "proof not a token", with_(proof="a.b.c")),
]


@pytest.mark.parametrize(
    ("kind", "check", "fault", "change"), FAULTS, ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_token_with_a_single_fault_is_refused_by_that_check(kind: str, check: str, fault: str, change: Change) -> None:
    """standards 1, 2, 5, 6, 7, 8, 48, 49, 60. attacks 17 and 20: only the named check fails."""
    make, take, _ = KINDS[kind]
    claims = make()
    change(claims)
    with pytest.raises(VerificationError) as refusal:
        take(claims)
    assert refusal.value.check == check, fault


@pytest.mark.parametrize(
    "audience",
    [
        *[f"{ISSUER}/{path}" for path in ("token", "par", "revoke", "introspect", "device", "bc-authorize", "")],
        [ISSUER, "https://evil.example"],
        [ISSUER, ISSUER],
        [ISSUER, f"{ISSUER}/token"],
        [[ISSUER]],
        ISSUER.upper(),
        "https://evil.example",
    ],
    ids=str,
)
def test_assertion_for_anything_but_the_issuer_alone_is_refused(audience: object) -> None:
    """attack 19, standards 1 and 2."""
    assert take_assertion({**assertion_claims(), "aud": [ISSUER]})
    with pytest.raises(VerificationError, match=r"^audience:"):
        take_assertion({**assertion_claims(), "aud": audience})


@pytest.mark.parametrize("ahead", [0, 5, 10])
def test_times_up_to_ten_seconds_ahead_are_taken(ahead: int) -> None:
    """standards 7."""
    assert take_assertion({**assertion_claims(), "iat": NOW + ahead, "nbf": NOW + ahead})


def test_times_more_than_a_minute_ahead_are_refused_whatever_the_leeway() -> None:
    """standards 7 and 60: no leeway above 60 seconds can be configured."""
    with pytest.raises(ConfigurationError):
        take_access(access_claims(), leeway=61)
    assert take_access({**access_claims(), "iat": NOW + 60}, leeway=60)
    with pytest.raises(VerificationError, match=r"^issued_at:"):
        take_access({**access_claims(), "iat": NOW + 61}, leeway=60)


@pytest.mark.parametrize(("late", "taken"), [(9, True), (9.5, True), (10, False), (3600, False)])
def test_token_ends_at_exp_plus_leeway(late: float, taken: bool) -> None:
    claims = access_claims()
    if taken:
        assert take_access(claims, now=NOW + 600 + late)
        return
    with pytest.raises(VerificationError, match=r"^expiry:"):
        take_access(claims, now=NOW + 600 + late)


def test_numeric_date_with_a_fraction_is_taken() -> None:
    assert take_access({**access_claims(), "exp": NOW + 0.5, "iat": NOW - 0.5}).exp == NOW + 0.5


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("leeway", [10, 10.5])
def test_a_time_beyond_all_reckoning_is_refused(name: str, leeway: float) -> None:
    """JSON numbers have no end: one of 400 digits is an integer here, and no float."""
    for value in (10**400, -(10**400), 2**53 + 1):
        with pytest.raises(VerificationError):
            take_access({**access_claims(), name: value}, leeway=leeway)


def test_audience_may_be_one_of_several_on_either_side() -> None:
    """standards 49."""
    claims = {**access_claims(), "aud": ["https://other.example", API]}
    assert take_access(claims).aud == ("https://other.example", API)
    assert take_access(claims, audience=("https://old.example", API))
    with pytest.raises(VerificationError, match=r"^audience:"):
        take_access(claims, audience=("https://old.example",))


def test_access_token_carries_every_claim_there_and_back() -> None:
    claims = access_token.AccessTokenClaims(
        iss=ISSUER,
        sub="user-1",
        aud=(API, "https://b.example"),
        exp=NOW + 5,
        iat=NOW,
        jti="j",
        client_id=CLIENT,
        nbf=NOW,
        auth_time=NOW - 5,
        acr="2",
        amr=("pwd", "otp"),
        sid="s",
        cnf={"jkt": "x"},
        grant_id="g",
        rev=0,
        extra={"tenant": "t"},
    )
    assert take_access(strict_json.decode_object(access_token.build(claims))) == claims


def test_further_claim_cannot_replace_a_standard_one() -> None:
    good = take_access(access_claims())
    with pytest.raises(VerificationError, match=r"^claims:"):
        access_token.build(msgspec.structs.replace(good, extra={"sub": "admin"}))


def test_request_is_compared_after_normalization_without_query() -> None:
    assert take_request(request_claims(), url="HTTPS://orders.example.com:443/x/../%6frders#top")
    assert take_request({**request_claims(), "htm": "QUERY"}, method="QUERY")


@pytest.mark.parametrize("name", ["iss", "aud", "jti"])
def test_proof_over_other_claims_is_refused(name: str) -> None:
    proof = {"iss": CLIENT, "aud": ISSUER, "jti": "j-1"} | {name: "another"}
    token = jws.sign(strict_json.encode(proof), NEXT, typ=next_key.PROOF_TYP)
    with pytest.raises(VerificationError, match=r"^proof:"):
        take_next_key({**next_key_claims(), "proof": token})


@pytest.mark.parametrize(("key", "typ"), [(KEY, next_key.PROOF_TYP), (NEXT, next_key.TYP)])
def test_proof_by_another_key_or_of_another_type_is_refused(key: SigningKey, typ: str) -> None:
    proof = strict_json.encode({"iss": CLIENT, "aud": ISSUER, "jti": "j-1"})
    with pytest.raises(VerificationError, match=r"^proof:"):
        take_next_key({**next_key_claims(), "proof": jws.sign(proof, key, typ=typ)})


@pytest.mark.parametrize("module", [client_assertion, client_request_jwt, next_key])
@pytest.mark.parametrize(
    "claims", [{}, {"iss": CLIENT}, {"iss": CLIENT, "sub": "b"}, {"iss": 1, "sub": 1}, {"iss": "", "sub": ""}]
)
def test_client_that_does_not_name_itself_alike_twice_is_not_named(module: Any, claims: Claims) -> None:
    """standards 5, attack 20."""
    assert module.unverified_client_id(signed({"iss": CLIENT, "sub": CLIENT}, "JWT")) == CLIENT
    with pytest.raises(VerificationError, match=r"^(issuer|subject):"):
        module.unverified_client_id(signed(claims, "JWT"))


def test_every_passed_check_is_noted() -> None:
    noted: list[str] = []
    take_access(access_claims(), note=lambda check, seen, expected: noted.append(check))
    assert noted == ["algorithm", "signature", "type", "issuer", "audience", "expiry", "issued_at"]
