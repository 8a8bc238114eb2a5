"""A workload's JWT-SVID as client authentication: draft-ietf-oauth-spiffe-client-auth section 3.1, and its attacks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.authorization_server.trust_bundles import TrustBundles
from ostiary.errors import Unavailable
from ostiary.fetching.guarded import Fetched
from ostiary.protocol import base64url, jws, jwt_svid, spiffe_bundle
from ostiary.protocol.jwk import SigningKey
from ostiary.settings.spiffe import BundleSettings, SpiffeSettings
from tests.authorization_server.world import ISSUER, NOW, ORDERS, Answer, signing_key
from tests.endpoints.test_client_authentication import refused_by
from tests.spiffe.trust_domain import BILLING, TrustDomainWorld, trust_domain_world

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
PEER = "spiffe://peer.example/orders"
PEER_KEY = signing_key("peer")


class Federated(TrustDomainWorld):
    """Two other trust domains are known: peer.example by a file, remote.example by a URL."""

    def spiffe(self) -> SpiffeSettings:
        write_bundle(self.folder / "peer.json", PEER_KEY)
        file, url = BundleSettings(file=self.folder / "peer.json"), BundleSettings(url="https://remote.example/bundle")
        return SpiffeSettings(bundles={"peer.example": file, "remote.example": url})


class Remote:
    """Answers for remote.example."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: bytes | None = bundle(signing_key("remote"))

    async def fetch(self, url: str, *, purpose: str) -> Fetched:
        self.asked.append(url)
        if self.answer is None:
            raise Unavailable("fetching", "no answer")
        return Fetched(200, {}, self.answer)


def bundle(*keys: SigningKey) -> bytes:
    return spiffe_bundle.build([], [key.verification_key for key in keys], 1, 300)


def write_bundle(path: Path, *keys: SigningKey) -> None:
    path.write_bytes(bundle(*keys))


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def world(tmp_path: Path, remote: Remote) -> Iterator[TrustDomainWorld]:
    with trust_domain_world(tmp_path, kind=Federated) as (built, _):
        built.server.trust_bundles = TrustBundles(built.settings.spiffe.bundles, remote, built.clock)
        built.add_client("orders", spiffe_id=PEER, authentication_method="spiffe_jwt", key=None)
        yield built


def svid(subject: str = PEER, key: SigningKey = PEER_KEY, **changes: object) -> str:
    payload = jwt_svid.build(subject, [ISSUER], now=NOW, life=60, jti="unused")
    claims = json.loads(payload) | {"jti": None} | changes
    return jws.sign(json.dumps({n: v for n, v in claims.items() if v is not None}).encode(), key, typ="JWT")


def token(world: TrustDomainWorld, presented: str, **parameters: str) -> Answer:
    form = {"grant_type": "client_credentials", "resource": ORDERS, "client_assertion_type": TYPE}
    return world.post("/token", form | {"client_assertion": presented} | parameters)


def test_a_workload_of_a_known_trust_domain_gets_a_token(world: TrustDomainWorld) -> None:
    answer = token(world, svid())
    assert answer.status == 200, answer.body
    assert jws.parse(answer.json["access_token"]).claims()["client_id"] == "orders"


@pytest.mark.parametrize("named", ["orders", PEER])
def test_it_may_be_named_by_its_client_id_or_its_spiffe_id(world: TrustDomainWorld, named: str) -> None:
    assert token(world, svid(), client_id=named).status == 200
    refused_by(world, token(world, svid(), client_id="billing"), "client")


def test_without_a_kid_the_keys_of_its_domain_are_tried(world: TrustDomainWorld) -> None:
    write_bundle(world.folder / "peer.json", signing_key("older"), PEER_KEY)
    parts = svid().split(".")
    header = base64url.encode(b'{"alg":"ES256","typ":"JWT"}')
    signed = header + b"." + parts[1].encode()
    signature = base64url.encode(PEER_KEY.sign(signed))
    assert token(world, (signed + b"." + signature).decode()).status == 200


def test_one_without_a_jti_is_good_until_it_ends_and_one_with_a_jti_once(world: TrustDomainWorld) -> None:
    assert [token(world, svid()).status for _ in range(2)] == [200, 200]
    once = svid(jti="one")
    assert token(world, once).status == 200
    refused_by(world, token(world, once), "jti")
    world.clock.now += 60 + 10
    refused_by(world, token(world, svid()), "expiry")


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"aud": ["https://other.example"]}, "audience"),
        ({"aud": [ISSUER, "https://other.example"]}, "audience"),
        ({"aud": [ISSUER + "/token"]}, "audience"),
        ({"exp": int(NOW) + 400}, "lifetime"),
        ({"exp": None}, "expiry"),
    ],
)
def test_whatever_is_wrong_with_it_is_refused(world: TrustDomainWorld, changes: dict[str, Any], check: str) -> None:
    refused_by(world, token(world, svid(**changes)), check)


def test_the_key_of_another_domain_speaks_for_none_of_ours(world: TrustDomainWorld) -> None:
    world.add_client("inside", spiffe_id="spiffe://trust.example.com/inside", authentication_method="spiffe_jwt")
    refused_by(world, token(world, svid("spiffe://trust.example.com/inside")), "key")
    # Nor does the key of ours for another domain, nor that of one other domain for the other.
    ours = world.signing_keys.current("ES256", "jwt-svid")
    payload = jwt_svid.build(PEER, [ISSUER], now=NOW, life=60, jti="x")
    refused_by(world, token(world, jws.sign(payload, ours, typ="JWT")), "key")
    refused_by(world, token(world, svid(key=signing_key("remote"))), "key")


def test_a_forged_key_of_the_same_kid_is_refused(world: TrustDomainWorld) -> None:
    refused_by(world, token(world, svid(key=SigningKey.generate("ES256", kid="peer"))), "signature")


def test_the_keys_of_our_access_tokens_sign_no_svid(world: TrustDomainWorld) -> None:
    world.add_client("inside", spiffe_id="spiffe://trust.example.com/inside", authentication_method="spiffe_jwt")
    payload = jwt_svid.build("spiffe://trust.example.com/inside", [ISSUER], now=NOW, life=60, jti="x")
    forged = jws.sign(payload, world.signing_keys.current("ES256"), typ="JWT")
    refused_by(world, token(world, forged), "key")
    good = jws.sign(payload, world.signing_keys.current("ES256", "jwt-svid"), typ="JWT")
    assert token(world, good).status == 200


@pytest.mark.parametrize("subject", ["spiffe://peer.example/unknown", "spiffe://nobody.example/orders"])
def test_who_is_no_client_or_of_no_known_domain_is_told_the_same(world: TrustDomainWorld, subject: str) -> None:
    answer = token(world, svid(subject))
    assert (answer.status, answer.json["error_description"]) == (401, "client authentication failed")


def test_a_client_of_another_method_is_not_let_in(world: TrustDomainWorld) -> None:
    good = world.svid("billing", ISSUER).json["svid"]
    assert jws.parse(good).claims()["sub"] == BILLING
    refused_by(world, token(world, good), "client")


def test_it_is_not_taken_under_the_type_of_private_key_jwt(world: TrustDomainWorld) -> None:
    form = world.token_form("orders", assertion=svid(), resource=ORDERS)
    assert world.post("/token", form).status == 401


def test_it_is_exchanged_for_no_other_credential(world: TrustDomainWorld) -> None:
    form = {"client_assertion_type": TYPE, "client_assertion": svid()}
    refused_by(world, world.post("/spiffe/jwt-svid", form | {"audience": "a"}), "method", "unauthorized_client", 403)
    refused_by(world, world.post("/certificates", form | {"csr": "AA"}), "method", "unauthorized_client", 403)


def test_a_disabled_client_is_not_let_in(world: TrustDomainWorld) -> None:
    from ostiary.revocation import Act, revoke_client

    world.write(lambda work: revoke_client(work, "orders", Act("cli", NOW)))
    refused_by(world, token(world, svid()), "client")


# -- where the keys come from ------------------------------------------------------------------------------------------


def test_a_bundle_file_that_changed_is_read_again(world: TrustDomainWorld) -> None:
    assert token(world, svid()).status == 200
    path = world.folder / "peer.json"
    write_bundle(path, signing_key("peer-2"))
    os.utime(path, ns=(1, 1))
    refused_by(world, token(world, svid()), "key")
    assert token(world, svid(key=signing_key("peer-2"))).status == 200


@pytest.mark.parametrize("content", [b"", b"{}", b"not json"])
def test_a_broken_bundle_file_admits_nobody(world: TrustDomainWorld, content: bytes) -> None:
    (world.folder / "peer.json").write_bytes(content)
    assert token(world, svid()).status == 503


def test_a_bundle_of_a_url_is_kept_as_long_as_it_hints(world: TrustDomainWorld, remote: Remote) -> None:
    far = "spiffe://remote.example/far"
    world.add_client("far", spiffe_id=far, authentication_method="spiffe_jwt", key=None)
    for _ in range(3):
        assert token(world, svid(far, signing_key("remote"))).status == 200
    assert remote.asked == ["https://remote.example/bundle"]
    world.clock.now += 301
    remote.answer = bundle(signing_key("remote-2"))
    fresh = {"iat": int(world.clock()), "exp": int(world.clock()) + 60}
    refused_by(world, token(world, svid(far, signing_key("remote"), **fresh)), "key")
    assert token(world, svid(far, signing_key("remote-2"), **fresh)).status == 200
    # Through an outage what was known stays good, for an hour and no longer.
    remote.answer = None
    world.clock.now += 600
    fresh = {"iat": int(world.clock()), "exp": int(world.clock()) + 60}
    assert token(world, svid(far, signing_key("remote-2"), **fresh)).status == 200
    world.clock.now += 3600
    fresh = {"iat": int(world.clock()), "exp": int(world.clock()) + 60}
    assert token(world, svid(far, signing_key("remote-2"), **fresh)).status == 503


def test_nothing_of_a_request_is_fetched(world: TrustDomainWorld, remote: Remote) -> None:
    token(world, svid("spiffe://evil.example/a", iss="https://evil.example", jku="https://evil.example/keys"))
    assert remote.asked == []
