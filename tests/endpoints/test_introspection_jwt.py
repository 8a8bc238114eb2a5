"""Signed introspection answers: whoever asks for them gets them, by the key of the API's tokens (RFC 9701)."""

from __future__ import annotations

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from ostiary.errors import VerificationError
from ostiary.protocol import access_token, introspection_jwt, jws
from tests.authorization_server.world import BILLS, ISSUER, ORDERS, Answer, World

JWT = "application/token-introspection+jwt"


def asked(world: World, token: str, api: str = "api_orders", wanted: str = JWT) -> Answer:
    return world.post("/introspect", world.form(api, token=token), accept=wanted)


def opened(world: World, answer: Answer, alg: str = "ES256") -> tuple[dict[str, object], dict[str, object]]:
    """Header and claims, as an independent library reads them by the published keys."""
    assert (answer.status, answer.headers["content-type"]) == (200, JWT), answer.body
    keys = KeySet.import_key_set(world.get("/jwks").json)
    token = jwt.decode(answer.body.decode(), keys, algorithms=[alg])
    return dict(token.header), dict(token.claims)


def test_an_active_token_is_told_of_in_a_signed_answer_to_its_api(world: World) -> None:
    """standards 73"""
    token = world.access_token()
    header, claims = opened(world, asked(world, token))
    assert header["typ"] == "token-introspection+jwt"
    assert claims == {
        "iss": ISSUER,
        "aud": ["api_orders", ORDERS],
        "iat": int(world.clock.now),
        "token_introspection": world.introspect(token).json,
    }


@pytest.mark.parametrize("token", ["nonsense", "ost_at_x"])
def test_of_a_token_that_is_none_the_answer_says_nothing_but_that(world: World, token: str) -> None:
    """standards 70, 73"""
    _, claims = opened(world, asked(world, token))
    assert claims == {
        "iss": ISSUER,
        "aud": ["api_orders", ORDERS],
        "iat": int(world.clock.now),
        "token_introspection": {"active": False},
    }


def test_a_token_for_another_api_is_inactive_and_not_told_of(world: World) -> None:
    """attack 32"""
    _, claims = opened(world, asked(world, world.access_token(), "api_bills"))
    assert (claims["aud"], claims["token_introspection"]) == (["api_bills", BILLS], {"active": False})


def test_a_reference_token_is_told_of_alike(world: World) -> None:
    world.add_api("https://stock.example.com", token_format="reference", scopes={"stock": "see"})
    world.add_client("taker", scopes={"https://stock.example.com": ("stock",)})
    _, claims = opened(world, asked(world, world.access_token("taker"), "api_stock"))
    inside = claims["token_introspection"]
    assert isinstance(inside, dict)
    assert (inside["active"], inside["scope"]) == (True, "stock")


def test_an_api_with_several_names_is_named_by_all_of_them(world: World) -> None:
    world.add_api("https://more.example.com", client_id=None)
    world.write(lambda work: _give_to_orders(work))
    _, claims = opened(world, asked(world, world.access_token()))
    assert claims["aud"] == ["api_orders", "https://more.example.com", ORDERS]


async def _give_to_orders(work: object) -> None:
    from dataclasses import replace
    from typing import Any, cast

    apis = cast(Any, work).apis
    await apis.replace(replace(await apis.get("https://more.example.com"), client_id="api_orders"))


def test_the_algorithm_is_that_of_the_apis_own_tokens(world: World) -> None:
    world.run(world.signing_keys.ensure(("EdDSA",)))
    world.add_api("https://stock.example.com", token_alg="EdDSA", scopes={"stock": "see"})
    world.add_client("taker", scopes={"https://stock.example.com": ("stock",)})
    header, _ = opened(world, asked(world, world.access_token("taker"), "api_stock"), "EdDSA")
    assert header["alg"] == "EdDSA"


@pytest.mark.parametrize(
    "wanted", ["", "*/*", "application/*", "application/json", f"{JWT};q=0", f"{JWT};q=0.5, application/json"]
)
def test_whoever_does_not_ask_for_it_gets_json(world: World, wanted: str) -> None:
    answer = asked(world, world.access_token(), wanted=wanted)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["active"] is True


@pytest.mark.parametrize(
    "wanted", [JWT, JWT.upper(), f"{JWT}, application/json", f"application/json;q=0.5, {JWT};q=0.9"]
)
def test_whoever_names_the_type_gets_the_jwt(world: World, wanted: str) -> None:
    opened(world, asked(world, world.access_token(), wanted=wanted))


def test_the_answer_is_not_stored_and_a_refusal_stays_json(world: World) -> None:
    assert asked(world, world.access_token()).headers["cache-control"] == "no-store"
    refused = world.post("/introspect", {"token": "x"}, accept=JWT)
    assert (refused.status, refused.headers["content-type"]) == (401, "application/json")


def test_an_answer_is_never_taken_as_an_access_token(world: World) -> None:
    """standards 74: at introspection, and by the verifier of an API."""
    answer = asked(world, world.access_token()).body.decode()
    assert world.introspect(answer).json == {"active": False}
    parsed = jws.parse(answer)
    key = world.server.signing_keys.verification_key(parsed.header.kid or "")
    assert key is not None
    with pytest.raises(VerificationError, match="type"):
        access_token.verify(parsed, key, issuer=ISSUER, audience=ORDERS, now=world.clock())
    assert introspection_jwt.verify(parsed, key, issuer=ISSUER, audience=ORDERS, now=world.clock())["active"] is True


def test_the_metadata_names_the_algorithms(world: World) -> None:
    metadata = world.get("/.well-known/oauth-authorization-server").json
    assert "ES256" in metadata["introspection_signing_alg_values_supported"]
    assert "none" not in metadata["introspection_signing_alg_values_supported"]
