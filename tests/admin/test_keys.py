"""What cannot be a client's key is refused with a sentence that says why, and the same key never belongs to two."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from ostiary.protocol.jwk import SigningKey
from tests.admin.room import Room, private, public
from tests.authorization_server.world import NOW, signing_key

PUBLIC_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def shop(room: Room) -> Room:
    room.make("/clients", {"client_id": "shop", "name": "Shop", "owner": "team"})
    room.make("/clients/shop/keys", {"key": public(signing_key("shop-1"))})
    return room


def add(room: Room, key: str, client_id: str = "shop", members: Mapping[str, object] | None = None) -> tuple[int, str]:
    answer = room.ask("POST", f"/clients/{client_id}/keys", {"key": key, **(members or {})})
    told = answer.json()
    return answer.status_code, "" if answer.status_code == 201 else told["error_description"]


def pem(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | dsa.DSAPublicKey) -> str:
    return key.public_bytes(*PUBLIC_PEM).decode()


def weak_rsa() -> str:
    return pem(rsa.generate_private_key(65537, 1024).public_key())  # noqa: S505


def private_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


REFUSED: dict[str, tuple[Callable[[], str], dict[str, str], str]] = {
    "a private JWK": (lambda: private(SigningKey.generate("ES256")), {}, "this key is disclosed"),
    "a private PEM": (private_pem, {}, "public key only"),
    "a shared secret": (lambda: json.dumps({"kty": "oct", "k": "AAAA"}), {}, "asymmetric"),
    "an RSA key of 1024 bits": (weak_rsa, {"alg": "RS256"}, "1024"),
    "a foreign curve": (lambda: pem(ec.generate_private_key(ec.SECP256K1()).public_key()), {}, "secp256k1"),
    "DSA": (lambda: pem(dsa.generate_private_key(2048).public_key()), {}, "type"),
    "an RSA key without algorithm": (lambda: pem(rsa.generate_private_key(65537, 2048).public_key()), {}, "alg"),
    "another algorithm": (lambda: public(SigningKey.generate("ES256")), {"alg": "ES384"}, "ES384"),
    "another kid": (lambda: public(SigningKey.generate("ES256", kid="a")), {"kid": "b"}, "kid"),
    "no key at all": (lambda: "hello", {}, "key is refused"),
    "an empty set": (lambda: '{"keys": []}', {}, "no key"),
    "a kid of two lines": (lambda: public(SigningKey.generate("ES256", kid="a\nb")), {}, "kid"),
    "half a surrogate pair": (lambda: '{"kty": "EC\\ud800"}', {}, "key is refused"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_good_public_key_is_refused_with_the_reason(shop: Room, name: str) -> None:
    """standards 50: weak, private and symmetric keys."""
    make, members, word = REFUSED[name]
    key = make()
    status, told = add(shop, key, members=members)
    assert (status, word in told) == (400, True), told
    assert key not in told
    assert len(shop.ask("GET", "/clients/shop/keys").json()) == 1


def test_same_key_for_another_client_is_refused_and_its_owner_named(shop: Room) -> None:
    """attack 8: nobody makes another's key their own."""
    shop.make("/clients", {"client_id": "thief", "name": "Thief"})
    status, told = add(shop, public(signing_key("shop-1")), "thief", {"kid": "shop-1"})
    assert status == 400
    assert "client 'shop'" in told
    renamed = SigningKey.from_pkcs8(signing_key("shop-1").to_pkcs8(), "ES256", "another-kid")
    assert add(shop, public(renamed), "thief")[0] == 400
    assert shop.ask("GET", "/clients/thief/keys").json() == []


def test_same_key_twice_for_its_own_client_is_refused(shop: Room) -> None:
    status, told = add(shop, public(signing_key("shop-1")))
    assert (status, "client 'shop'" in told) == (400, True)


def test_retired_key_cannot_be_registered_anew(shop: Room) -> None:
    shop.ask("POST", "/clients/shop/keys/end", {"kid": "shop-1", "state": "revoked"})
    assert add(shop, public(signing_key("shop-1")))[0] == 400


def test_kid_names_one_key_of_a_client_and_may_be_used_by_another(shop: Room) -> None:
    other = public(SigningKey.generate("ES256", kid="shop-1"))
    status, told = add(shop, other)
    assert (status, "'shop-1'" in told) == (400, True)
    shop.make("/clients", {"client_id": "other", "name": "Other"})
    assert add(shop, other, "other")[0] == 201


def test_set_with_one_bad_key_registers_none(shop: Room) -> None:
    good = json.loads(public(SigningKey.generate("ES256")))
    taken = json.loads(public(signing_key("shop-1")))
    assert add(shop, json.dumps({"keys": [good, taken]}))[0] == 400
    assert len(shop.ask("GET", "/clients/shop/keys").json()) == 1
    assert add(shop, json.dumps({"keys": [good]}))[0] == 201


def test_pem_is_taken_with_a_kid_and_an_algorithm(shop: Room) -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    assert add(shop, pem(key), members={"kid": "from-pem", "alg": "PS256"})[0] == 201
    kept = {key["kid"]: key for key in shop.ask("GET", "/clients/shop/keys").json()}["from-pem"]
    assert (kept["alg"], kept["jwk"]["kty"]) == ("PS256", "RSA")


@pytest.mark.parametrize(
    ("members", "good"),
    [
        ({"not_before": int(NOW) + 100, "expires_at": int(NOW) + 200}, True),
        ({"not_before": int(NOW) + 200, "expires_at": int(NOW) + 200}, False),
        ({"expires_at": int(NOW)}, False),
        ({"not_before": int(NOW) - 300, "expires_at": int(NOW) - 200}, False),
    ],
)
def test_key_must_have_a_time_in_which_it_works(shop: Room, members: dict[str, int], good: bool) -> None:
    status, told = add(shop, public(SigningKey.generate("ES256")), members=members)
    assert status == (201 if good else 400), told


def test_key_works_from_its_beginning_to_its_end_alone(shop: Room) -> None:
    shop.make("/apis", {"identifier": "https://orders.example.com", "name": "Orders", "scopes": {"a": ""}})
    shop.ask("PATCH", "/clients/shop", {"scopes": {"https://orders.example.com": ["a"]}})
    start = int(NOW) + 100
    timed = {"key": public(signing_key("shop-2")), "not_before": start, "expires_at": start + 100}
    shop.make("/clients/shop/keys", timed)
    found = []
    for after in (99, 101, 199, 201):
        shop.world.clock.now = NOW + after
        assertion = shop.world.assertion("shop", "shop-2")
        found.append(shop.world.token(assertion=assertion, resource="https://orders.example.com").status)
    assert found == [401, 200, 200, 401]
