"""The code flow from the authorization request to the API, the ID token and the refresh."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode

import jwt

from ostiary.model.user import User
from tests.authorization_server.applications import (
    CALLBACK,
    authorize_url,
    code_for,
    orders_claims,
    redeem,
    refresh,
    sign_in,
)
from tests.authorization_server.browser import Browser, location, query_of
from tests.authorization_server.world import ISSUER, ORDERS, World


def test_a_browser_without_a_session_is_led_to_the_sign_in_with_its_request(browser: Browser) -> None:
    answer = browser.get(authorize_url(), follow=False)
    assert answer.status == 303
    assert location(answer) == f"{ISSUER}/sign-in"
    assert set(query_of(answer)) == {"interaction"}
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-ostiary-browser=ost_br_")
    assert all(part in cookie for part in ("; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"))


def test_the_user_consents_and_the_code_becomes_tokens(browser: Browser, ada: User) -> None:
    session = sign_in(browser, ada)
    page = browser.get(authorize_url())
    assert page.status == 200
    for told in (b"app.example.com", b"orders", ORDERS.encode()):
        assert told in page.body
    answer = browser.submit("consent-form", decision="allow")
    assert location(answer) == CALLBACK
    found = query_of(answer)
    assert (found["state"], found["iss"]) == ("st-1", ISSUER)
    tokens = redeem(browser.world, found["code"])
    assert tokens.status == 200, tokens.body
    assert tokens.json["token_type"] == "Bearer"
    assert tokens.json["scope"] == "openid orders:read"
    claims = orders_claims(tokens.json["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aud"]) == ("usr_ada", "app", ORDERS)
    assert (claims["auth_time"], claims["amr"], claims["sid"]) == (session.auth_time, ["pwd"], session.session_id)
    assert claims["acr"] == "urn:ostiary:acr:one-factor"
    told_id = _verified_id_token(browser.world, tokens.json["id_token"])
    assert (told_id["nonce"], told_id["sid"], told_id["sub"]) == ("n-1", session.session_id, "usr_ada")
    half = hashlib.sha256(tokens.json["access_token"].encode()).digest()[:16]
    assert told_id["at_hash"] == urlsafe_b64encode(half).decode().rstrip("=")


def test_consent_is_remembered_and_only_what_is_new_is_asked_again(browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    code_for(browser)
    assert "code" in query_of(browser.get(authorize_url()))
    page = browser.get(authorize_url(scope="openid orders:read orders:write"))
    assert page.status == 200
    assert b"consent-form" in page.body


def test_the_user_says_no_and_the_client_is_told(browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    browser.get(authorize_url())
    found = query_of(browser.submit("consent-form", decision="deny"))
    assert (found["error"], found["state"], found["iss"]) == ("access_denied", "st-1", ISSUER)
    assert "code" not in found


def test_a_refresh_gives_a_new_pair_with_the_same_sign_in(browser: Browser, ada: User) -> None:
    session = sign_in(browser, ada)
    world = browser.world
    first = redeem(world, code_for(browser)).json
    world.clock.now += 100
    second = refresh(world, first["refresh_token"])
    assert second.status == 200, second.body
    assert second.json["refresh_token"] != first["refresh_token"]
    assert orders_claims(second.json["access_token"])["auth_time"] == session.auth_time
    assert "nonce" not in orders_claims(second.json["id_token"])


def test_the_answer_can_be_a_form(browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    browser.get(authorize_url(response_mode="form_post"))
    page = browser.submit("consent-form", decision="allow")
    assert page.status == 200
    assert f'action="{CALLBACK}"'.encode() in page.body
    assert b'name="code"' in page.body
    assert "form-action 'self' https://app.example.com" in page.headers["content-security-policy"]


def _verified_id_token(world: World, text: str) -> dict[str, object]:
    keys = jwt.PyJWKSet.from_dict(json.loads(world.get("/jwks").body))
    key = next(key for key in keys.keys if key.key_id == jwt.get_unverified_header(text)["kid"])
    options = {"verify_exp": False, "verify_iat": False}
    claims: dict[str, object] = jwt.decode(
        text,
        key.key,
        algorithms=["ES256"],
        audience="app",
        issuer=ISSUER,
        options=options,  # type: ignore[arg-type]
    )
    return claims
