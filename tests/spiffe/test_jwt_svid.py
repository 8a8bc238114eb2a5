"""JWT-SVIDs: who gets one, what it says, and that it is none of our other tokens and none of them is one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, jws, jwt_svid
from ostiary.protocol.jwk import SigningKey, parse_public_key
from ostiary.revocation import Act, revoke_client
from tests.authorization_server.world import ISSUER, NOW, ORDERS, signing_key
from tests.endpoints.test_client_authentication import refused_by
from tests.spiffe.trust_domain import BILLING, REPORTS, TrustDomainWorld, urlencoded


def claims(svid: str) -> dict[str, Any]:
    return jws.parse(svid).claims()


def test_a_workload_gets_one_that_the_bundle_verifies(world: TrustDomainWorld) -> None:
    answer = world.svid()
    assert answer.status == 200, answer.body
    assert (answer.json["spiffe_id"], answer.json["audience"], answer.json["expires_in"]) == (BILLING, [REPORTS], 300)
    assert answer.headers["cache-control"] == "no-store"
    parsed = jws.parse(answer.json["svid"])
    (jwk,) = [key for key in world.bundle()["keys"] if key.get("kid") == parsed.header.kid]
    key = parse_public_key({name: value for name, value in jwk.items() if name != "use"})
    verified = jwt_svid.verify(parsed, key, audience=REPORTS, now=NOW)
    assert verified.spiffe_id == BILLING
    # "Any header not described here, registered or private, MUST NOT be included" JWT-SVID 2
    header = json.loads(base64url.decode(answer.json["svid"].split(".")[0].encode()))
    assert header == {"alg": "ES256", "kid": parsed.header.kid, "typ": "JWT"}
    told = claims(answer.json["svid"])
    assert (told["sub"], told["aud"], told["exp"] - told["iat"]) == (BILLING, [REPORTS], 300)


def test_it_is_written_who_got_what(world: TrustDomainWorld) -> None:
    svid = world.svid().json["svid"]
    (row,) = [row for row in world.audit() if row.tag == "jwt_svid:issued"]
    assert (row.actor, row.target) == ("billing", claims(svid)["jti"])
    assert row.details["spiffe_id"] == BILLING


def test_several_audiences_stand_each_once(world: TrustDomainWorld) -> None:
    svid = world.svid("billing", "a", "b", "a").json["svid"]
    assert claims(svid)["aud"] == ["a", "b"]


def test_the_life_may_be_chosen_within_the_bound(world: TrustDomainWorld) -> None:
    told = claims(world.svid(life="900").json["svid"])
    assert told["exp"] - told["iat"] == 900


@pytest.mark.parametrize("life", ["0", "901", "-1", "1.5", "1e2", "x", "\u0661", "99999999"])
def test_another_life_is_refused(world: TrustDomainWorld, life: str) -> None:
    refused_by(world, world.svid(life=life), "life", "invalid_request", 400)


@pytest.mark.parametrize("audiences", [["a", "b", "c", "d", "e"], ["a" * 2049]])
def test_too_much_of_an_audience_is_refused(world: TrustDomainWorld, audiences: list[str]) -> None:
    refused_by(world, world.svid("billing", *audiences), "audience", "invalid_request", 400)


def test_without_an_audience_there_is_none(world: TrustDomainWorld) -> None:
    form = urlencoded(list(world.form("billing").items()))
    refused_by(world, world.post("/spiffe/jwt-svid", form), "audience", "invalid_request", 400)


@pytest.mark.parametrize("parameter", ["life", "client_id"])
def test_no_other_parameter_may_repeat(world: TrustDomainWorld, parameter: str) -> None:
    form = [*world.form("billing").items(), ("audience", "a"), (parameter, "60"), (parameter, "60")]
    refused_by(world, world.post("/spiffe/jwt-svid", urlencoded(form)), "form", "invalid_request", 400)


def test_a_client_that_is_no_workload_gets_none(world: TrustDomainWorld) -> None:
    world.add_client("shop")
    refused_by(world, world.svid("shop"), "spiffe_id", "unauthorized_client", 403)


def test_a_workload_of_another_trust_domain_gets_none(world: TrustDomainWorld) -> None:
    world.add_client("guest", spiffe_id="spiffe://other.example/guest")
    refused_by(world, world.svid("guest"), "spiffe_id", "unauthorized_client", 403)


def test_who_asks_chooses_no_spiffe_id(world: TrustDomainWorld) -> None:
    answer = world.svid(sub=REPORTS, spiffe_id=REPORTS, subject=REPORTS)
    assert claims(answer.json["svid"])["sub"] == BILLING


def test_who_does_not_prove_itself_gets_none(world: TrustDomainWorld) -> None:
    forged = world.assertion("billing", key=SigningKey.generate("ES256", kid="billing-1"))
    refused_by(world, world.svid(assertion=forged), "signature")
    body = urlencoded([("client_id", "billing"), ("audience", "a")])
    refused_by(world, world.post("/spiffe/jwt-svid", body), "method")


def test_a_disabled_workload_gets_none(world: TrustDomainWorld) -> None:
    assert world.svid().status == 200
    world.write(lambda work: revoke_client(work, "billing", Act("cli", NOW)))
    refused_by(world, world.svid(), "client")


def test_an_assertion_gets_one_only(world: TrustDomainWorld) -> None:
    used = world.assertion("billing")
    assert world.svid(assertion=used).status == 200
    refused_by(world, world.svid(assertion=used), "jti")


# -- its keys ----------------------------------------------------------------------------------------------------------


def test_its_keys_turn_by_the_schedule(world: TrustDomainWorld) -> None:
    first = jws.parse(world.svid().json["svid"]).header.kid
    world.clock.now += world.settings.keys.rotate_after + 1
    world.run(world.signing_keys.tick())
    second = jws.parse(world.svid().json["svid"]).header.kid
    assert second != first
    # The old one stays in the bundle until the last SVID that it signed has ended, and no longer.
    assert first in {key.get("kid") for key in world.bundle()["keys"]}
    world.clock.now += 3600 + 61
    world.run(world.signing_keys.tick())
    assert first not in {key.get("kid") for key in world.bundle()["keys"]}


def test_a_compromised_key_leaves_the_bundle_and_no_token_key_turns(world: TrustDomainWorld) -> None:
    jwks, first = world.get("/jwks").json, jws.parse(world.svid().json["svid"]).header.kid
    world.run(world.signing_keys.rotate(use="jwt-svid", compromised=True))
    assert first not in {key.get("kid") for key in world.bundle()["keys"]}
    assert jws.parse(world.svid().json["svid"]).header.kid != first
    assert world.get("/jwks").json == jwks


def test_the_turn_of_the_token_keys_leaves_these_alone(world: TrustDomainWorld) -> None:
    before = world.signing_keys.published("jwt-svid")
    world.clock.now += world.settings.keys.jwks_max_age + 1
    world.run(world.signing_keys.rotate())
    assert world.signing_keys.published("jwt-svid") == before


# -- nothing passes for it, and it passes for nothing ------------------------------------------------------------------


def test_it_is_no_access_token(world: TrustDomainWorld) -> None:
    svid = world.svid("billing", ORDERS).json["svid"]
    assert world.introspect(svid).json == {"active": False}
    assert world.signing_keys.verification_key(jws.parse(svid).header.kid or "") is None


def test_it_is_no_client_assertion_of_private_key_jwt(world: TrustDomainWorld) -> None:
    svid = world.svid("billing", ISSUER).json["svid"]
    assert world.token("billing", assertion=svid).status == 401


def test_an_access_token_is_no_jwt_svid(world: TrustDomainWorld) -> None:
    token = jws.parse(world.access_token("billing", resource=ORDERS))
    assert world.signing_keys.verification_key(token.header.kid or "", "jwt-svid") is None
    with pytest.raises(VerificationError) as refused:
        jwt_svid.unverified_spiffe_id(token)
    assert refused.value.check == "spiffe_id"


# -- verifying ---------------------------------------------------------------------------------------------------------

KEY = signing_key("svid")


def made(typ: str = "JWT", key: SigningKey = KEY, **changes: object) -> jws.CompactJws:
    payload = jwt_svid.build(BILLING, [ISSUER], now=NOW, life=60, jti="one")
    found = {name: value for name, value in (json.loads(payload) | changes).items() if value is not None}
    return jws.parse(jws.sign(json.dumps(found).encode(), key, typ=typ))


def verify(svid: jws.CompactJws, key: SigningKey = KEY) -> jwt_svid.JwtSvid:
    return jwt_svid.verify(svid, key.verification_key, audience=ISSUER, now=NOW)


@pytest.mark.parametrize("typ", ["JWT", "JOSE"])
def test_a_good_one_is_good(typ: str) -> None:
    assert verify(made(typ)) == jwt_svid.JwtSvid(BILLING, int(NOW) + 60, "one")
    assert verify(made(typ, jti=None, iat=None, aud=ISSUER)).jti == ""


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"typ": "at+jwt"}, "type"),
        ({"typ": "jwt"}, "type"),
        ({"sub": None}, "subject"),
        ({"sub": "billing"}, "spiffe_id"),
        ({"sub": "spiffe://trust.example.com"}, "spiffe_id"),
        ({"aud": None}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": "https://other.example"}, "audience"),
        ({"aud": [ISSUER, "https://other.example"]}, "audience"),
        ({"exp": None}, "expiry"),
        ({"exp": NOW - 11}, "expiry"),
        ({"exp": NOW + 311}, "lifetime"),
        ({"iat": NOW - 311}, "lifetime"),
        ({"iat": NOW + 11}, "issued_at"),
        ({"nbf": NOW + 11}, "not_before"),
        ({"jti": 7}, "jti"),
    ],
)
def test_whatever_is_wrong_with_it_is_refused(changes: dict[str, Any], check: str) -> None:
    with pytest.raises(VerificationError) as refused:
        verify(made(**changes))
    assert refused.value.check == check


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_an_algorithm_that_svids_do_not_have_is_refused(alg: str) -> None:
    key = signing_key(f"svid-{alg}", alg)
    with pytest.raises(VerificationError) as refused:
        verify(made(key=key), key)
    assert refused.value.check == "algorithm"


def test_the_signature_of_another_key_is_refused() -> None:
    with pytest.raises(VerificationError) as refused:
        verify(made(), signing_key("another"))
    assert refused.value.check == "signature"
