"""From an application to the sign-in and back: what was asked for is what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.model.user import User
from ostiary.user_authentication.acr import ONE_FACTOR, TWO_FACTORS
from tests.authorization_server.applications import CALLBACK, add_application, authorize_url, orders_claims, redeem
from tests.authorization_server.browser import Browser, location, query_of
from tests.authorization_server.world import ORDERS, Answer
from tests.user_authentication.browser import PASSWORD, PeopleWorld, code_at


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PeopleWorld]:
    """An API, an application for it, and ada with a password."""
    world = PeopleWorld(tmp_path)
    try:
        world.add_api(ORDERS)
        add_application(world, login={"first_party": True})
        world.add_user("ada")
        yield world
    finally:
        world.close()


@pytest.fixture
def ada(world: PeopleWorld) -> User:
    """Who signs in."""
    return world.user("ada")


@pytest.fixture
def browser(world: PeopleWorld) -> Browser:
    """A browser that was never here."""
    return Browser(world)


def signed_in(browser: Browser, answer: Answer) -> Answer:
    assert answer.status == 200, answer.body
    return browser.submit("sign-in-form", username="ada", password=PASSWORD)


def id_token(world: PeopleWorld, answer: Answer) -> dict[str, object]:
    assert (answer.status, location(answer)) == (303, CALLBACK), answer.body
    told = redeem(world, query_of(answer)["code"])
    assert told.status == 200, told.body
    return orders_claims(told.json["id_token"])


def test_an_application_gets_a_code_after_the_sign_in(world: PeopleWorld, browser: Browser, ada: User) -> None:
    page = browser.get(authorize_url())
    assert "https://app.example.com" in page.headers["content-security-policy"].split("form-action")[1]
    claims = id_token(world, signed_in(browser, page))
    assert claims["sub"] == ada.user_id
    assert (claims["amr"], claims["acr"], claims["auth_time"]) == (["pwd"], ONE_FACTOR, int(world.clock()))


def test_who_has_codes_is_asked_for_one_on_the_way(world: PeopleWorld, browser: Browser, ada: User) -> None:
    key = world.add_codes(ada)
    world.clock.now += 30
    page = signed_in(browser, browser.get(authorize_url()))
    assert page.status == 200
    claims = id_token(world, browser.submit("code-form", code=code_at(key, world.clock())))
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], TWO_FACTORS)


def test_a_half_sign_in_gets_no_code(world: PeopleWorld, browser: Browser, ada: User) -> None:
    world.add_codes(ada)
    signed_in(browser, browser.get(authorize_url()))
    answer = browser.get(browser.url.replace("/sign-in/second-factor", "/continue"))
    assert answer.status == 200
    assert b"sign-in-form" in answer.body
    denied = browser.get(authorize_url(prompt="none"))
    assert query_of(denied)["error"] == "login_required"


def test_a_session_is_stepped_up_where_an_application_insists(world: PeopleWorld, browser: Browser, ada: User) -> None:
    id_token(world, signed_in(browser, browser.get(authorize_url())))
    key = world.add_codes(ada)
    world.clock.now += 30
    wanted = json.dumps({"id_token": {"acr": {"essential": True, "values": [TWO_FACTORS]}}})
    page = browser.get(authorize_url(claims=wanted))
    assert b"code-form" in page.body
    claims = id_token(world, browser.submit("code-form", code=code_at(key, world.clock())))
    assert claims["acr"] == TWO_FACTORS
    assert claims["auth_time"] == int(world.clock()) - 30


def test_a_fresh_sign_in_is_asked_for_once(world: PeopleWorld, browser: Browser) -> None:
    first = id_token(world, signed_in(browser, browser.get(authorize_url())))
    world.clock.now += 100
    again = id_token(world, signed_in(browser, browser.get(authorize_url(prompt="login"))))
    assert again["auth_time"] == first["auth_time"] + 100  # type: ignore[operator]
    assert again["sid"] == first["sid"]


def test_after_the_back_button_the_application_gets_another_code(world: PeopleWorld, browser: Browser) -> None:
    browser.get(authorize_url())
    page, url = browser.page, browser.url
    first = query_of(browser.submit("sign-in-form", username="ada", password=PASSWORD))
    browser.page, browser.url = page, url
    second = query_of(browser.submit("sign-in-form", username="ada", password=PASSWORD))
    assert first["code"] != second["code"]
    assert first["state"] == second["state"]


def test_the_request_of_each_tab_survives_the_sign_in_in_another(world: PeopleWorld, browser: Browser) -> None:
    tabs = []
    for state in ("one", "two"):
        browser.get(authorize_url(state=state))
        tabs.append((browser.page, browser.url))
    for state, (page, url) in zip(("one", "two"), tabs, strict=True):
        browser.page, browser.url = page, url
        assert query_of(browser.submit("sign-in-form", username="ada", password=PASSWORD))["state"] == state
    assert len(world.sessions()) == 1
