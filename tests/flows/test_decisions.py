"""What an authorization request needs next: prompt, max_age, acr, several accounts (standards 100, 101, 116)."""

from __future__ import annotations

import pytest

from ostiary.model.factor import Factor
from ostiary.model.user import User
from ostiary.revocation import Act, revoke_session, revoke_user
from tests.authorization_server.applications import (
    CALLBACK,
    add_application,
    add_user,
    authorize_url,
    code_for,
    orders_claims,
    redeem,
    refresh,
    sign_in,
)
from tests.authorization_server.browser import Browser, location, query_of
from tests.authorization_server.world import ISSUER, World

SIGN_IN = f"{ISSUER}/sign-in"
TWO_FACTORS = "urn:ostiary:acr:two-factors"


def test_prompt_none_shows_no_page(browser: Browser, ada: User) -> None:
    """standards 101."""
    assert query_of(browser.get(authorize_url(prompt="none")))["error"] == "login_required"
    sign_in(browser, ada)
    assert query_of(browser.get(authorize_url(prompt="none")))["error"] == "consent_required"
    code_for(browser)
    assert "code" in query_of(browser.get(authorize_url(prompt="none")))


def test_prompt_login_asks_again_and_a_fresh_sign_in_is_enough(browser: Browser, ada: User) -> None:
    """standards 101."""
    sign_in(browser, ada)
    code_for(browser)
    assert location(browser.get(authorize_url(prompt="login"), follow=False)) == SIGN_IN


def test_max_age_asks_again_for_an_older_sign_in(world: World, browser: Browser, ada: User) -> None:
    """standards 100, 101."""
    session = sign_in(browser, ada)
    code = code_for(browser)
    world.clock.now += 61
    assert location(browser.get(authorize_url(max_age=60), follow=False)) == SIGN_IN
    assert query_of(browser.get(authorize_url(max_age=60, prompt="none")))["error"] == "login_required"
    assert "code" in query_of(browser.get(authorize_url(max_age=62)))
    del code
    told = orders_claims(redeem(world, code_for(browser, authorize_url(max_age=600))).json["id_token"])
    assert told["auth_time"] == session.auth_time


def test_a_level_that_can_be_reached_leads_to_the_second_factor(world: World, browser: Browser, ada: User) -> None:
    """standards 116; RFC 9470."""
    sign_in(browser, ada)
    assert query_of(browser.get(authorize_url(acr_values=TWO_FACTORS)))["error"] == "unmet_authentication_requirements"
    totp = Factor("fac_1", ada.user_id, "totp", "phone", b"sealed")
    world.write(lambda work: work.factors.add(totp))
    assert location(browser.get(authorize_url(acr_values=TWO_FACTORS), follow=False)) == f"{SIGN_IN}/second-factor"
    session = sign_in(browser, ada, ("otp",), step_up=True)
    assert session.amr == ("pwd", "otp", "mfa")
    tokens = redeem(world, code_for(browser, authorize_url(acr_values=TWO_FACTORS))).json
    assert orders_claims(tokens["access_token"])["acr"] == TWO_FACTORS


def test_two_factors_do_not_stand_in_for_the_passkey_that_is_demanded(
    world: World, browser: Browser, ada: User
) -> None:
    """The sign-in ends with two factors; the request does not."""
    world.write(lambda work: work.factors.add(Factor("fac_1", ada.user_id, "passkey", "", b"", "credential")))
    sign_in(browser, ada, ("pwd", "otp"))
    assert location(browser.get(authorize_url(acr_values="phr"), follow=False)) == f"{SIGN_IN}/second-factor"
    sign_in(browser, ada, ("otp",), step_up=True)
    assert location(browser.get(authorize_url(acr_values="phr"), follow=False)) == f"{SIGN_IN}/second-factor"
    sign_in(browser, ada, ("hwk", "user"), step_up=True)
    tokens = redeem(world, code_for(browser, authorize_url(acr_values="phr"))).json
    assert orders_claims(tokens["access_token"])["acr"] == "phr"


def test_a_level_that_only_others_know_is_passed_over(browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    assert browser.get(authorize_url(acr_values="1 2")).status == 200


def test_two_accounts_in_one_browser_are_chosen_from(world: World, browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    bob = sign_in(browser, add_user(world, "bob"))
    assert query_of(browser.get(authorize_url(prompt="none")))["error"] == "account_selection_required"
    page = browser.get(authorize_url())
    assert b"ada" in page.body
    assert b"bob" in page.body
    page = browser.submit("accounts-form", session_id=bob.session_id)
    assert b"consent-form" in page.body
    found = query_of(browser.submit("consent-form", decision="allow"))
    assert orders_claims(redeem(world, found["code"]).json["access_token"])["sub"] == "usr_bob"


def test_a_session_of_another_browser_cannot_be_chosen(world: World, browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    sign_in(browser, add_user(world, "bob"))
    elsewhere = sign_in(Browser(world), add_user(world, "eve"))
    browser.get(authorize_url())
    assert browser.submit("accounts-form", session_id=elsewhere.session_id).status == 400


def test_a_login_hint_chooses_among_the_accounts(world: World, browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    sign_in(browser, add_user(world, "bob"))
    assert b"consent-form" in browser.get(authorize_url(login_hint="ada@example.com")).body
    assert location(browser.get(authorize_url(login_hint="eve"), follow=False)) == SIGN_IN


def test_the_interaction_of_one_browser_leads_nowhere_in_another(world: World, browser: Browser, ada: User) -> None:
    """standards 106, attacks 39 and 52: consent is bound to the browser that began."""
    sign_in(browser, ada)
    browser.get(authorize_url())
    captured = browser.url
    victim = Browser(world)
    sign_in(victim, add_user(world, "victim"))
    page = victim.get(captured)
    assert page.status == 400
    assert b"expired" in page.body
    assert b"consent-form" not in page.body


def test_consent_cannot_be_sent_from_elsewhere(world: World, browser: Browser, ada: User) -> None:
    """standards 108, attack 40: each wall alone."""
    sign_in(browser, ada)
    browser.get(authorize_url())
    url, page = browser.url, browser.page
    assert page is not None
    token = page.body.decode().split('name="csrf" value="')[1].split('"')[0]
    allow = {"decision": "allow"}
    assert browser.post(url, allow).status == 403
    assert browser.post(url, allow | {"csrf": token}, origin="https://evil.example").status == 403
    assert browser.post(url, allow | {"csrf": token}, sec_fetch_site="cross-site").status == 403
    assert browser.post(url, allow | {"csrf": token}, follow=False).status == 303


def test_a_request_goes_on_after_the_back_button_and_in_a_second_tab(browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    browser.get(authorize_url(state="one"))
    first = browser.url
    browser.get(authorize_url(state="two"))
    assert query_of(browser.submit("consent-form", decision="allow"))["state"] == "two"
    browser.get(first)
    found = query_of(browser.page if browser.page.status == 303 else browser.submit("consent-form", decision="allow"))  # type: ignore[union-attr, arg-type]
    assert (found["state"], "code" in found) == ("one", True)


def test_an_old_interaction_has_expired(world: World, browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    browser.get(authorize_url())
    world.clock.now += 3601
    assert browser.get(browser.url).status == 400


@pytest.mark.parametrize("kind", ["native", "browser"])
def test_consent_is_never_skipped_for_a_client_that_nobody_can_identify(
    world: World, browser: Browser, ada: User, kind: str
) -> None:
    """standards 108, attack 39."""
    uri = "http://127.0.0.1/cb" if kind == "native" else CALLBACK
    login = {"application_type": kind, "redirect_uris": (uri,), "first_party": True}
    add_application(world, "app2", login=login, authentication_method="none", key=None)
    sign_in(browser, ada)
    page = browser.get(authorize_url("app2", redirect_uri=uri))
    if kind == "native":
        assert b"consent-form" in page.body
        browser.submit("consent-form", decision="allow")
        assert b"consent-form" in browser.get(authorize_url("app2", redirect_uri=uri)).body
    else:
        assert "code" in query_of(page)


def test_the_end_of_the_session_ends_its_tokens_and_grants(world: World, browser: Browser, ada: User) -> None:
    """standards 71."""
    session = sign_in(browser, ada)
    tokens = redeem(world, code_for(browser)).json
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))
    assert world.introspect(tokens["access_token"]).json == {"active": False}
    assert refresh(world, tokens["refresh_token"]).status == 400
    assert location(browser.get(authorize_url(), follow=False)) == SIGN_IN


def test_offline_access_outlives_the_session_and_nothing_else_does(world: World, browser: Browser, ada: User) -> None:
    session = sign_in(browser, ada)
    tokens = redeem(world, code_for(browser, authorize_url(scope="openid offline_access orders:read"))).json
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))
    assert world.introspect(tokens["access_token"]).json == {"active": False}
    again = refresh(world, tokens["refresh_token"])
    assert again.status == 200
    assert world.introspect(again.json["access_token"]).json["active"] is True


def test_disabling_the_user_ends_everything_at_once(world: World, browser: Browser, ada: User) -> None:
    """ASVS 7.4.2."""
    sign_in(browser, ada)
    tokens = redeem(world, code_for(browser, authorize_url(scope="openid offline_access orders:read"))).json
    code = code_for(browser)
    world.write(lambda work: revoke_user(work, ada.user_id, Act("cli", world.clock())))
    assert world.introspect(tokens["access_token"]).json == {"active": False}
    assert refresh(world, tokens["refresh_token"]).status == 400
    assert redeem(world, code).status == 400
    assert location(browser.get(authorize_url(), follow=False)) == SIGN_IN


def test_a_pairwise_subject_differs_between_sectors_and_stays_the_same(
    world: World, browser: Browser, ada: User
) -> None:
    subjects = []
    for client_id, host in (("one", "a.example"), ("two", "a.example"), ("three", "b.example")):
        uri = f"https://{host}/cb"
        add_application(world, client_id, login={"subject_type": "pairwise", "redirect_uris": (uri,)})
        sign_in(browser, ada)
        code = code_for(browser, authorize_url(client_id, redirect_uri=uri))
        claims = orders_claims(redeem(world, code, client_id, redirect_uri=uri).json["access_token"])
        subjects.append(claims["sub"])
    assert subjects[0] == subjects[1] != subjects[2]
    assert all(subject.startswith("usr_p") for subject in subjects)


def test_a_factor_that_is_gone_when_consent_is_given_is_told_to_the_application(
    world: World, browser: Browser, ada: User
) -> None:
    sign_in(browser, ada, ("pwd", "otp"))
    assert location(browser.get(authorize_url(acr_values=TWO_FACTORS), follow=False)) == f"{ISSUER}/consent"
    browser.get(authorize_url(acr_values=TWO_FACTORS))
    sign_in(browser, ada)
    answer = browser.submit("consent-form", decision="allow")
    assert query_of(answer)["error"] == "unmet_authentication_requirements"
    assert world.read(lambda work: work.consents.of_user(ada.user_id)) == []
