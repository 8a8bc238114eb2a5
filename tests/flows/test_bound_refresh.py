"""Codes, refresh tokens and userinfo of clients with bound tokens: RFC 8705 4 and 7.1 (standards 79 and 82)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostiary.model.mutual_tls import MutualTls
from ostiary.model.user import User
from tests.authorization_server.applications import add_application, authorize_url, code_for, redeem, refresh, sign_in
from tests.authorization_server.browser import Browser
from tests.authorization_server.certificates import self_signed
from tests.authorization_server.world import Answer, World

OWN, OTHER = self_signed("own"), self_signed("other")
BOUND = MutualTls(bound_tokens=True)
AS_SPA: dict[str, Any] = {
    "client_id": "spa",
    "client_assertion": None,
    "client_assertion_type": None,
    "assertion": "none",
}


@pytest.fixture
def tokens(browser: Browser, ada: User) -> dict[str, Any]:
    """The tokens of the public client ``spa``, bound to OWN."""
    add_application(browser.world, "spa", key=None, authentication_method="none", mutual_tls=BOUND)
    return _redeemed(browser, ada, "spa")


@pytest.fixture
def confidential(browser: Browser, ada: User) -> dict[str, Any]:
    """The tokens of ``app``, which proves itself by its key, bound to OWN."""
    client = browser.world.read(lambda work: work.clients.get("app"))
    browser.world.write(lambda work: work.clients.replace(replace(client, mutual_tls=BOUND)))
    return _redeemed(browser, ada, "app")


def _redeemed(browser: Browser, user: User, client_id: str) -> dict[str, Any]:
    sign_in(browser, user)
    code = code_for(browser, authorize_url(client_id))
    browser.world.certificate = OWN.der
    answer = redeem(browser.world, code, client_id, **(AS_SPA if client_id == "spa" else {}))
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def _told(world: World, answer: Answer) -> tuple[str, str]:
    return answer.json["error"], world.trace(answer).checks[-1].name


def test_a_public_clients_refresh_token_needs_its_certificate(world: World, tokens: dict[str, Any]) -> None:
    for certificate in (OTHER.der, b"none"):
        world.certificate = certificate
        assert refresh(world, tokens["refresh_token"], "spa", **AS_SPA).status == 400
    world.certificate = OTHER.der
    assert _told(world, refresh(world, tokens["refresh_token"], "spa", **AS_SPA)) == (
        "invalid_grant",
        "sender_constraint",
    )
    world.certificate = OWN.der
    renewed = refresh(world, tokens["refresh_token"], "spa", **AS_SPA)
    assert renewed.status == 200, renewed.body
    world.certificate = OTHER.der
    assert _told(world, refresh(world, renewed.json["refresh_token"], "spa", **AS_SPA))[1] == "sender_constraint"


def test_the_binding_of_a_refresh_token_outlives_the_registration(world: World, tokens: dict[str, Any]) -> None:
    client = world.read(lambda work: work.clients.get("spa"))
    world.write(lambda work: work.clients.replace(replace(client, mutual_tls=MutualTls())))
    for certificate in (None, OTHER.der):
        world.certificate = certificate
        assert _told(world, refresh(world, tokens["refresh_token"], "spa", **AS_SPA))[1] == "sender_constraint"
    world.certificate = OWN.der
    renewed = refresh(world, tokens["refresh_token"], "spa", **AS_SPA).json["refresh_token"]
    world.certificate = None
    assert _told(world, refresh(world, renewed, "spa", **AS_SPA))[1] == "sender_constraint"


def test_a_used_refresh_token_with_another_certificate_ends_no_family(world: World, tokens: dict[str, Any]) -> None:
    renewed = refresh(world, tokens["refresh_token"], "spa", **AS_SPA).json["refresh_token"]
    world.clock.now += 60
    world.certificate = OTHER.der
    assert _told(world, refresh(world, tokens["refresh_token"], "spa", **AS_SPA))[1] == "sender_constraint"
    world.certificate = OWN.der
    assert refresh(world, renewed, "spa", **AS_SPA).status == 200


def test_a_refresh_token_of_before_is_bound_at_its_next_use(world: World, browser: Browser, ada: User) -> None:
    add_application(world, "spa", key=None, authentication_method="none")
    token = _redeemed(browser, ada, "spa")["refresh_token"]
    client = world.read(lambda work: work.clients.get("spa"))
    world.write(lambda work: work.clients.replace(replace(client, mutual_tls=BOUND)))
    renewed = refresh(world, token, "spa", **AS_SPA).json["refresh_token"]
    world.certificate = OTHER.der
    assert _told(world, refresh(world, renewed, "spa", **AS_SPA))[1] == "sender_constraint"


def test_a_confidential_client_may_refresh_with_a_renewed_certificate(
    world: World, confidential: dict[str, Any]
) -> None:
    """RFC 8705 7.1: its refresh tokens are bound to the client, which proves itself anew."""
    world.certificate = OTHER.der
    renewed = refresh(world, confidential["refresh_token"])
    assert renewed.status == 200, renewed.body
    assert world.introspect(renewed.json["access_token"]).json["cnf"] == {"x5t#S256": OTHER.thumbprint}


@pytest.mark.parametrize("same", [True, False])
def test_a_retry_is_the_same_request_with_the_same_binding_alone(
    world: World, confidential: dict[str, Any], same: bool
) -> None:
    """Within the window the successor is told again to the same client with the same binding."""
    first = refresh(world, confidential["refresh_token"]).json
    world.certificate = (OWN if same else OTHER).der
    again = refresh(world, confidential["refresh_token"])
    if same:
        assert again.json["refresh_token"] == first["refresh_token"]
    else:
        assert _told(world, again) == ("invalid_grant", "reuse")


def test_a_request_without_the_certificate_spends_no_code(world: World, browser: Browser, ada: User) -> None:
    add_application(world, "spa", key=None, authentication_method="none", mutual_tls=BOUND)
    sign_in(browser, ada)
    code = code_for(browser, authorize_url("spa"))
    refused = redeem(world, code, "spa", **AS_SPA)
    assert (refused.status, refused.json["error"]) == (400, "invalid_request")
    world.certificate = OWN.der
    assert redeem(world, code, "spa", **AS_SPA).status == 200


def test_userinfo_wants_the_certificate_of_a_bound_token(world: World, browser: Browser, ada: User) -> None:
    """RFC 8705 3: "MUST be rejected ... using an HTTP 401 status code and the 'invalid_token' error code"."""
    add_application(world, "spa", key=None, authentication_method="none", mutual_tls=BOUND)
    token = _redeemed(browser, ada, "spa")["access_token"]
    header = {"authorization": f"Bearer {token}"}
    assert world.get("/userinfo", **header).status == 200
    for certificate in (OTHER.der, None):
        world.certificate = certificate
        answer = world.get("/userinfo", **header)
        assert (answer.status, answer.json["error"]) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        check = world.trace(answer).checks[-1]
        assert check.name == "sender_constraint"
        assert OWN.thumbprint in check.expected
