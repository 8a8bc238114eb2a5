"""The trust bundle: SPIFFE Trust Domain and Bundle section 4, X.509-SVID section 6."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ostiary.errors import VerificationError
from ostiary.protocol import spiffe_bundle
from ostiary.settings import Settings
from tests.authorization_server.world import World, signing_key
from tests.certificate_authority.authority import Ca
from tests.spiffe.trust_domain import TrustDomainWorld


def of_use(bundle: Any, use: str) -> list[Any]:
    return [key for key in bundle["keys"] if key["use"] == use]


def test_it_holds_each_root_once_with_its_certificate_and_without_a_kid(world: TrustDomainWorld, ca: Ca) -> None:
    (key,) = of_use(world.bundle(), "x509-svid")
    (certificate,) = key["x5c"]
    assert x509.load_der_x509_certificate(base64.b64decode(certificate)) == ca.root.certificate
    assert (key["kty"], "kid" in key, "alg" in key) == ("EC", False, False)


def test_it_holds_the_keys_of_jwt_svids_and_none_of_tokens(world: TrustDomainWorld) -> None:
    told = {key["kid"] for key in of_use(world.bundle(), "jwt-svid")}
    assert len(told) == 2  # the one that signs, and the next one
    assert told.isdisjoint(key["kid"] for key in world.get("/jwks").json["keys"])


def test_its_number_rises_with_each_change_and_stays_without(world: TrustDomainWorld, ca: Ca) -> None:
    first, again = world.bundle(), world.bundle()
    assert first == again
    ca.add_issuing()
    world.run(world.signing_keys.rotate(use="jwt-svid", compromised=True))
    after = world.bundle()
    assert after["spiffe_sequence"] > first["spiffe_sequence"]
    assert after["keys"] != first["keys"]
    assert after["spiffe_refresh_hint"] == world.settings.keys.jwks_max_age


def test_a_revoked_root_leaves_it(world: TrustDomainWorld) -> None:
    async def revoke(work: Any) -> None:
        (root,) = [one for one in await work.authorities.list() if one.kind == "root"]
        await work.authorities.replace(replace(root, state="revoked"))

    world.write(revoke)
    assert of_use(world.bundle(), "x509-svid") == []


def test_who_has_the_present_bundle_is_told_so(world: TrustDomainWorld) -> None:
    answer = world.get("/spiffe/bundle.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert world.get("/spiffe/bundle.json", if_none_match=answer.headers["etag"]).status == 304


def test_who_is_no_trust_domain_has_none(tmp_path: Path) -> None:
    class Without(World):
        def _settings(self, issuer: str) -> Settings:
            found = super()._settings(issuer)
            authority = found.certificate_authority.model_copy(update={"trust_domain": None})
            return found.model_copy(update={"certificate_authority": authority})

    plain = Without(tmp_path)
    assert plain.get("/spiffe/bundle.json").status == 404
    assert {key.use for key in plain.read(lambda work: work.signing_keys.list())} == {"token", "audit"}
    plain.close()


# -- bundles of others -------------------------------------------------------------------------------------------------


def document(*keys: dict[str, object], **members: object) -> bytes:
    from ostiary.protocol import strict_json

    return strict_json.encode({"keys": list(keys), **members})


def jwk(name: str = "one", **changes: object) -> dict[str, object]:
    plain: dict[str, object] = {**signing_key(name).verification_key.public_jwk(), "use": "jwt-svid"}
    return {name: value for name, value in (plain | changes).items() if value is not None}


def test_what_was_built_is_read(world: TrustDomainWorld) -> None:
    found = spiffe_bundle.parse(world.get("/spiffe/bundle.json").body)
    assert {key.kid for key in found.jwt_keys} == {key.kid for key in world.signing_keys.published("jwt-svid")}
    assert found.refresh_hint == 300


@pytest.mark.parametrize(
    "passed_over",
    [jwk(use="sig"), jwk(use=None), jwk(use="x509-svid"), jwk(kty="XX"), jwk(use="wit-svid"), jwk(crv="P-999")],
)
def test_what_is_of_another_use_or_kind_is_passed_over(passed_over: dict[str, object]) -> None:
    found = spiffe_bundle.parse(document(passed_over, jwk("two")))
    assert [key.kid for key in found.jwt_keys] == ["two"]


def test_a_key_of_rsa_without_an_algorithm_is_for_rs256() -> None:
    key = signing_key("rsa", "RS256").verification_key.public_jwk() | {"use": "jwt-svid"}
    del key["alg"]
    (found,) = spiffe_bundle.parse(document(dict(key))).jwt_keys
    assert found.alg == "RS256"


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": [1]}',
        document(jwk(), jwk("two", kid="one")),
        document(dict(signing_key("one").private_jwk())),
        b" " * 300_000,
    ],
)
def test_what_is_no_bundle_is_refused(bad: bytes) -> None:
    with pytest.raises(VerificationError) as refused:
        spiffe_bundle.parse(bad)
    assert refused.value.check == "key"
