"""Redeeming a code: what it is bound to, and that a failed try spends it (standards 9-15, attacks 23, 24, 26, 27)."""

from __future__ import annotations

import pytest

from ostiary.model.user import User
from ostiary.revocation import Act, revoke_session
from tests.authorization_server.applications import (
    CALLBACK,
    add_application,
    authorize_url,
    code_for,
    redeem,
    refresh,
    sign_in,
)
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import World


@pytest.fixture
def code(browser: Browser, ada: User) -> str:
    """A code for ``app``."""
    sign_in(browser, ada)
    return code_for(browser)


@pytest.mark.parametrize(
    "change",
    [
        {"code_verifier": None},
        {"code_verifier": "a" * 43},
        {"code_verifier": "v"},
        {"redirect_uri": CALLBACK + "/"},
    ],
    ids=str,
)
def test_a_failed_try_spends_the_code(world: World, code: str, change: dict[str, str | None]) -> None:
    """standards 10, 11, 15; attack 24: one guess and no more."""
    refused = redeem(world, code, **change)
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")
    assert redeem(world, code).status == 400


def test_another_client_cannot_redeem_it_and_nobody_can_afterwards(world: World, code: str) -> None:
    """standards 15."""
    add_application(world, "thief")
    assert redeem(world, code, "thief").status == 400
    assert redeem(world, code).status == 400


def test_a_code_is_good_for_a_minute(world: World, code: str) -> None:
    """standards 14."""
    world.clock.now += 60
    assert redeem(world, code).status == 400


def test_a_second_use_ends_what_came_of_the_first(world: World, code: str) -> None:
    """standards 13, attack 26."""
    tokens = redeem(world, code).json
    assert redeem(world, code).status == 400
    assert world.introspect(tokens["access_token"]).json == {"active": False}
    assert refresh(world, tokens["refresh_token"]).status == 400


def test_a_second_use_is_known_as_such_after_the_code_has_expired(world: World, code: str) -> None:
    tokens = redeem(world, code).json
    world.clock.now += 300
    redeem(world, code)
    assert world.introspect(tokens["access_token"]).json == {"active": False}


def test_a_verifier_without_a_challenge_is_refused(world: World, browser: Browser, ada: User) -> None:
    """standards 9, attack 23: RFC 9700 4.8.2."""
    add_application(world, "old", login={"require_pkce": False})
    sign_in(browser, ada)
    code = code_for(browser, authorize_url("old", code_challenge=None, code_challenge_method=None))
    assert redeem(world, code, "old").status == 400


def test_the_code_of_another_request_does_not_fit_this_verifier(world: World, browser: Browser, ada: User) -> None:
    """attack 27: a code that was injected into another browser's transaction."""
    sign_in(browser, ada)
    stolen = code_for(browser, authorize_url(code_challenge="A" * 43))
    assert redeem(world, stolen).status == 400


def test_redirect_uri_may_be_left_out_at_the_token_endpoint(world: World, code: str) -> None:
    """OAuth 2.1 no longer sends it there."""
    assert redeem(world, code, redirect_uri=None).status == 200


def test_without_pkce_redirect_uri_is_required(world: World, browser: Browser, ada: User) -> None:
    """standards 15: RFC 6749 4.1.3."""
    add_application(world, "old", login={"require_pkce": False})
    sign_in(browser, ada)
    for sent, status in ((None, 400), (CALLBACK, 200)):
        code = code_for(browser, authorize_url("old", code_challenge=None, code_challenge_method=None))
        assert redeem(world, code, "old", code_verifier=None, redirect_uri=sent).status == status


def test_a_client_without_refresh_tokens_gets_none(world: World, browser: Browser, ada: User) -> None:
    add_application(world, "once", grant_types=("authorization_code",))
    sign_in(browser, ada)
    assert "refresh_token" not in redeem(world, code_for(browser, authorize_url("once")), "once").json


def test_a_client_may_use_its_registered_grants_alone(world: World, code: str) -> None:
    add_application(world, "machine", grant_types=("client_credentials",))
    assert redeem(world, code, "machine").json["error"] == "unauthorized_client"


def test_a_code_that_nobody_redeems_leaves_no_grant_for_long(world: World, browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    code_for(browser)
    redeem(world, code_for(browser))
    grants = world.read(lambda work: work.grants.of_user(ada.user_id))
    unredeemed, redeemed = sorted(grants, key=lambda grant: int(grant.expires_at))
    settings = world.settings
    assert unredeemed.expires_at == unredeemed.created_at + 60 + settings.tokens.max_life
    assert redeemed.expires_at == redeemed.created_at + settings.authorization.refresh_life


def test_the_end_of_a_session_is_one_row_of_the_log(world: World, browser: Browser, ada: User) -> None:
    """However often an application asked: every API reads those rows."""
    session = sign_in(browser, ada)
    tokens = [redeem(world, code_for(browser)).json for _ in range(3)]
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))
    assert len(world.read(lambda work: work.revocations.since(0))) == 1
    for each in tokens:
        assert world.introspect(each["access_token"]).json == {"active": False}
        assert refresh(world, each["refresh_token"]).status == 400
