"""Sign-in through an upstream provider: what it takes, and that each check alone refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from ostiary.protocol import jws
from ostiary.protocol.base64url import encode
from ostiary.revocation import revoke_user
from ostiary.user_authentication import accounts
from tests.authorization_server.world import ISSUER, signing_key
from tests.user_authentication.browser import Browser, Page, code_at
from tests.user_authentication.provider import (
    OTHER,
    SECRET,
    WORKS,
    ProviderWorld,
    challenge_of,
    come_back,
    start,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ProviderWorld]:
    """Ada has linked ``u1`` at works."""
    yield from made(tmp_path)


def made(folder: Path, **upstream: Any) -> Iterator[ProviderWorld]:
    world = ProviderWorld(folder, **upstream)
    try:
        user = world.add_user("ada")
        factor = replace(
            accounts.new_factor(user.user_id, "upstream", "Works", b"", world.clock()), lookup=f"{WORKS} u1"
        )
        world.write(lambda work: accounts.add_factor(work, factor, world.act()))
        yield world
    finally:
        world.close()


@pytest.fixture
def browser(world: ProviderWorld) -> Browser:
    """Nobody is signed in with it."""
    return Browser(world)


def refused(world: ProviderWorld, page: Page, check: str) -> None:
    assert page.status == 400, (page.status, page.html)
    assert world.sessions() == []
    assert world.audited("upstream:refused")[-1].reason == check


def test_a_linked_user_signs_in(world: ProviderWorld, browser: Browser) -> None:
    page = come_back(browser, start(browser))
    assert (page.status, page.header("location").split("?")[0]) == (303, f"{ISSUER}/continue")
    (session,) = world.sessions()
    assert (session.amr, session.acr) == (("fed",), "urn:ostiary:acr:one-factor")
    (factor,) = world.factors(kind="upstream")
    assert factor.last_used_at == int(world.clock())


def test_the_request_has_pkce_nonce_and_state_and_no_secret(world: ProviderWorld, browser: Browser) -> None:
    asked = start(browser)
    come_back(browser, asked)
    (sent,) = world.works.requests
    assert asked["to"] == f"{WORKS}/auth"
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", "ostiary", "openid")
    assert asked["redirect_uri"] == sent["redirect_uri"] == f"{ISSUER}/upstream/works/callback"
    assert (asked["code_challenge_method"], asked["code_challenge"]) == ("S256", challenge_of(sent))
    assert sent["authorization"] == "Basic " + base64.b64encode(f"ostiary:{SECRET}".encode()).decode()
    assert SECRET not in str(asked)


def test_the_verifier_is_neither_the_state_nor_in_it(world: ProviderWorld, browser: Browser) -> None:
    """Attack 25, CVE-2026-34511."""
    asked = start(browser)
    come_back(browser, asked)
    verifier = world.works.requests[0]["code_verifier"]
    assert len({verifier, asked["state"], asked["nonce"], asked["code_challenge"]}) == 4
    assert all(verifier not in value for value in asked.values())


def test_two_requests_share_nothing(browser: Browser) -> None:
    first, second = start(browser), start(browser)
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


# -- the state -----------------------------------------------------------------------------------------------


def test_an_answer_works_once(world: ProviderWorld, browser: Browser) -> None:
    asked = start(browser)
    assert come_back(browser, asked).status == 303
    again = come_back(browser, asked)
    assert (again.status, len(world.works.requests)) == (400, 1)
    assert world.audited("upstream:refused")[-1].reason == "upstream_state"


def test_an_answer_in_another_browser_is_refused(world: ProviderWorld, browser: Browser) -> None:
    """Login CSRF, and attack 39: a captured URL."""
    asked = start(browser)
    other = Browser(world)
    start(other)
    for one in (other, Browser(world)):
        assert come_back(one, asked).status == 400
    assert world.works.requests == []
    assert world.audited("upstream:refused") == [], "a stranger's request writes nothing"


def test_an_answer_comes_in_time(world: ProviderWorld, browser: Browser) -> None:
    asked = start(browser)
    world.clock.now += 901
    assert come_back(browser, asked).status == 400
    assert world.works.requests == []


@pytest.mark.parametrize("state", ["", "x", "<script>", "A" * 3000])
def test_a_state_that_is_none_is_refused(world: ProviderWorld, browser: Browser, state: str) -> None:
    asked = start(browser)
    page = come_back(browser, asked | {"state": state})
    assert page.status == 400
    assert "<script>" not in page.html


def test_an_interaction_is_no_state(world: ProviderWorld, browser: Browser) -> None:
    page = browser.open(f"{ISSUER}/sign-in")
    sealed = unquote(page.url.partition("interaction=")[2])
    assert come_back(browser, start(browser) | {"state": sealed}).status == 400


# -- which provider ------------------------------------------------------------------------------------------


def test_an_answer_at_another_providers_redirect_uri_is_refused(world: ProviderWorld, browser: Browser) -> None:
    """Mix-up, attack 21, RFC 9700 4.4.2."""
    asked = start(browser)
    assert come_back(browser, asked, "other", iss=OTHER).status == 400
    assert world.providers[OTHER].requests == []


@pytest.mark.parametrize("issuer", [OTHER, WORKS + "/", WORKS.upper(), None])
@pytest.mark.parametrize("answer", [{"code": "c1"}, {"code": None, "error": "access_denied"}])
def test_an_answer_of_another_issuer_is_refused(
    world: ProviderWorld, browser: Browser, issuer: str | None, answer: dict[str, str | None]
) -> None:
    """RFC 9207 2.4, for errors as well; absent where the metadata promises it."""
    refused(world, come_back(browser, start(browser), **(answer | {"iss": issuer})), "issuer")
    assert world.works.requests == []


def test_an_issuer_that_promises_no_iss_may_leave_it_out_but_not_lie(world: ProviderWorld, browser: Browser) -> None:
    world.works.metadata["authorization_response_iss_parameter_supported"] = None
    refused(world, come_back(browser, start(browser), iss=OTHER), "issuer")
    assert come_back(browser, start(browser), iss=None).status == 303


def test_metadata_of_another_issuer_is_refused(world: ProviderWorld, browser: Browser) -> None:
    """RFC 8414 3.3: identical to the configured issuer."""
    for issuer in (OTHER, WORKS + "/"):
        world.works.metadata["issuer"] = issuer
        page = browser.send(browser.open(f"{ISSUER}/sign-in"), "upstream-works", follow=False)
        assert page.status == 400
        assert page.header("refresh") == ""


@pytest.mark.parametrize("endpoint", ["http://works.example/auth", "javascript:alert(1)", "data:x", None])
def test_an_authorization_endpoint_that_is_no_https_url_is_not_gone_to(
    world: ProviderWorld, browser: Browser, endpoint: str | None
) -> None:
    world.works.metadata["authorization_endpoint"] = endpoint
    page = browser.send(browser.open(f"{ISSUER}/sign-in"), "upstream-works", follow=False)
    assert (page.status, page.header("refresh")) == (503, "")


def test_a_parameter_that_stands_twice_is_refused(world: ProviderWorld, browser: Browser) -> None:
    asked = start(browser)
    page = browser.call(
        "GET", f"{ISSUER}/upstream/works/callback?code=c1&state={asked['state']}&iss={WORKS}&iss={OTHER}"
    )
    assert page.status == 400
    assert world.works.requests == []


# -- the ID token --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "check"),
    [
        ({"iss": OTHER}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "another"}, "audience"),
        ({"aud": ["ostiary", "another"]}, "authorized_party"),
        ({"aud": None}, "audience"),
        ({"azp": "another"}, "authorized_party"),
        ({"exp": 1_799_999_000}, "expiry"),
        ({"exp": None}, "expiry"),
        ({"iat": 1_799_999_000}, "issued_at"),
        ({"iat": 1_800_000_900}, "issued_at"),
        ({"iat": None}, "issued_at"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "token_hash"),
        ({"sub": None}, "subject"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "subject"),
        ({"sub": "u" * 256}, "subject"),
    ],
)
def test_each_claim_alone_refuses(world: ProviderWorld, browser: Browser, claims: dict[str, Any], check: str) -> None:
    world.works.claims = claims
    refused(world, come_back(browser, start(browser)), check)


def test_what_may_be_absent_may_be_absent(world: ProviderWorld, browser: Browser) -> None:
    world.works.claims = {"at_hash": None, "aud": ["ostiary"], "azp": "ostiary"}
    assert come_back(browser, start(browser)).status == 303


def test_a_token_signed_by_somebody_else_is_refused(world: ProviderWorld, browser: Browser) -> None:
    world.works.signs_with = replace(signing_key("forger"), kid="works")
    refused(world, come_back(browser, start(browser)), "signature")


def test_a_key_that_the_provider_does_not_publish_is_refused(world: ProviderWorld, browser: Browser) -> None:
    world.works.signs_with = signing_key("unpublished")
    refused(world, come_back(browser, start(browser)), "key")


@pytest.mark.parametrize("alg", ["none", "HS256", "RS1", "ES256K"])
def test_an_algorithm_that_is_not_on_the_list_is_refused(world: ProviderWorld, browser: Browser, alg: str) -> None:
    header = encode(json.dumps({"alg": alg, "kid": "works"}).encode()).decode()
    world.works.id_token = f"{header}.{encode(b'{}').decode()}.{encode(b'x' * 64).decode()}"
    refused(world, come_back(browser, start(browser)), "algorithm")


def test_an_algorithm_that_the_settings_leave_out_is_refused(tmp_path: Path) -> None:
    for world in made(tmp_path, algorithms=("RS256",)):
        browser = Browser(world)
        refused(world, come_back(browser, start(browser)), "algorithm")


def test_a_token_of_another_type_is_refused(world: ProviderWorld, browser: Browser) -> None:
    """A logout token or an access token of the same provider, signed with the same key."""
    asked = start(browser)
    claims = {"iss": WORKS, "sub": "u1", "aud": "ostiary", "exp": int(world.clock()) + 60, "iat": int(world.clock())}
    payload = json.dumps(claims | {"nonce": asked["nonce"]}).encode()
    world.works.id_token = jws.sign(payload, signing_key("works"), typ="logout+jwt")
    refused(world, come_back(browser, asked), "type")


@pytest.mark.parametrize(
    "tokens", [{"id_token": None}, {"access_token": None}, {"token_type": "mac"}, {"token_type": None}]
)
def test_tokens_that_are_not_whole_are_refused(world: ProviderWorld, browser: Browser, tokens: dict[str, Any]) -> None:
    world.works.tokens = tokens
    refused(world, come_back(browser, start(browser)), "upstream_answer")


def test_an_answer_without_a_code_is_refused(world: ProviderWorld, browser: Browser) -> None:
    refused(world, come_back(browser, start(browser), code=None), "upstream_answer")


def test_a_refusal_of_the_token_endpoint_teaches_the_operator(world: ProviderWorld, browser: Browser) -> None:
    world.works.status = 401
    page = come_back(browser, start(browser))
    refused(world, page, "upstream_answer")
    assert "redirect URI registered there" in page.html
    assert SECRET not in page.html


def test_a_provider_that_is_down_is_no_fault_of_ours(world: ProviderWorld, browser: Browser) -> None:
    asked = start(browser)
    world.works.down = True
    assert come_back(browser, asked).status == 503
    assert world.sessions() == []


def test_a_key_that_is_new_at_the_provider_is_found_and_not_asked_for_at_every_forgery(
    world: ProviderWorld, browser: Browser
) -> None:
    assert come_back(browser, start(browser)).status == 303
    world.clock.now += 61
    world.works.keys = [signing_key("works-2")]
    browser = Browser(world)
    assert come_back(browser, start(browser)).status == 303
    fetched = world.works.fetched.count("/jwks")
    world.works.signs_with = signing_key("unpublished")
    for _ in range(3):
        come_back(browser, start(browser))
    assert world.works.fetched.count("/jwks") == fetched


# -- who it is -----------------------------------------------------------------------------------------------


def test_who_denies_there_is_told_so_and_may_try_again(world: ProviderWorld, browser: Browser) -> None:
    page = come_back(browser, start(browser), code=None, error="access_denied", error_description="<b>x</b>")
    refused(world, page, "upstream_denied")
    assert page.texts["message"].startswith("You did not allow")
    assert "<b>" not in page.html


def test_an_identity_that_nobody_has_linked_is_told_how(world: ProviderWorld, browser: Browser) -> None:
    world.works.claims = {"sub": "u2"}
    page = come_back(browser, start(browser))
    refused(world, page, "upstream_unlinked")
    assert "link the account elsewhere on your account page" in page.texts["message"]


def test_an_e_mail_address_links_nobody(world: ProviderWorld, browser: Browser) -> None:
    """Whoever controls the address at the provider does not control the account here."""
    user_id = world.user("ada").user_id
    world.write(
        lambda work: accounts.change_user(work, user_id, world.act(), email="ada@example.com", email_verified=True)
    )
    world.works.claims = {"sub": "u2", "email": "ada@example.com", "email_verified": True, "preferred_username": "ada"}
    refused(world, come_back(browser, start(browser)), "upstream_unlinked")


def test_the_same_subject_at_another_provider_is_somebody_else(world: ProviderWorld, browser: Browser) -> None:
    """ASVS 6.8.1."""
    asked = start(browser, form="upstream-other")
    refused(world, come_back(browser, asked, "other", iss=OTHER), "upstream_unlinked")


def test_a_disabled_user_does_not_get_in(world: ProviderWorld, browser: Browser) -> None:
    user_id = world.user("ada").user_id
    world.write(lambda work: revoke_user(work, user_id, world.act()))
    refused(world, come_back(browser, start(browser)), "account")


def test_amr_of_the_provider_counts_only_where_it_is_trusted(world: ProviderWorld, browser: Browser) -> None:
    world.works.claims = {"amr": ["pwd", "otp", "mfa"]}
    come_back(browser, start(browser))
    (session,) = world.sessions()
    assert (session.amr, session.acr) == (("fed",), "urn:ostiary:acr:one-factor")


def test_amr_of_a_trusted_provider_raises_the_level(tmp_path: Path) -> None:
    for world in made(tmp_path, trust_amr=True):
        world.works.claims = {"amr": ["pwd", "otp", "mfa", "root", 7]}
        browser = Browser(world)
        come_back(browser, start(browser))
        (session,) = world.sessions()
        assert set(session.amr) == {"fed", "pwd", "otp", "mfa"}
        assert session.acr == "urn:ostiary:acr:two-factors"


@pytest.mark.parametrize("told", [["pwd"], ["otp"], ["hwk"], ["pwd", "kba"], ["otp", "hwk"], ["user"], []])
def test_a_single_factor_at_a_trusted_provider_is_one_factor(tmp_path: Path, told: list[str]) -> None:
    """What was proved there is the one sign-in there: it is no second factor beside it."""
    for world in made(tmp_path, trust_amr=True):
        world.works.claims = {"amr": told}
        browser = Browser(world)
        come_back(browser, start(browser))
        (session,) = world.sessions()
        assert (session.amr, session.acr) == (("fed",), "urn:ostiary:acr:one-factor")


@pytest.mark.parametrize("told", [["pwd"], ["otp"], ["kba"]])
def test_after_a_single_factor_at_a_trusted_provider_the_users_own_code_makes_two(
    tmp_path: Path, told: list[str]
) -> None:
    for world in made(tmp_path, trust_amr=True):
        key = world.add_codes(world.user("ada"))
        world.works.claims = {"amr": told}
        browser = Browser(world)
        second = browser.open(come_back(browser, start(browser)).header("location"))
        assert (second.path, world.sessions()) == ("/sign-in/second-factor", [])
        world.clock.now += 30
        browser.send_code(second, code_at(key, world.clock()))
        (session,) = world.sessions()
        assert (session.amr, session.acr) == (("fed", "otp", "mfa"), "urn:ostiary:acr:two-factors")


def test_two_factors_at_a_trusted_provider_spare_the_users_own_code(tmp_path: Path) -> None:
    for world in made(tmp_path, trust_amr=True):
        world.add_codes(world.user("ada"))
        world.works.claims = {"amr": ["pwd", "otp"]}
        browser = Browser(world)
        come_back(browser, start(browser))
        (session,) = world.sessions()
        assert session.acr == "urn:ostiary:acr:two-factors"


def test_a_second_factor_is_asked_for_after_the_provider_too(world: ProviderWorld, browser: Browser) -> None:
    factor = accounts.new_factor(world.user("ada").user_id, "totp", "", b"sealed", world.clock())
    world.write(lambda work: accounts.add_factor(work, factor, world.act()))
    page = come_back(browser, start(browser))
    assert page.header("location").startswith(f"{ISSUER}/sign-in/second-factor")
    assert world.sessions() == []


def test_who_proves_themselves_again_does_so_at_the_provider_too(world: ProviderWorld, browser: Browser) -> None:
    """A session at the provider is no fresh sign-in: max_age=0, and auth_time must say so."""
    come_back(browser, start(browser))
    world.clock.now += 1000
    for auth_time in (None, int(world.clock()) - 11):
        asked = start(browser)
        assert asked["max_age"] == "0"
        world.works.claims = {"auth_time": auth_time}
        assert come_back(browser, asked).status == 400
        assert world.audited("upstream:refused")[-1].reason == "auth_time"
    world.works.claims = {"auth_time": int(world.clock())}
    assert come_back(browser, start(browser)).status == 303
    assert world.sessions()[0].auth_time == int(world.clock())


def test_a_flood_of_refused_answers_is_summed_up(
    world: ProviderWorld, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can begin at a provider and come back with nonsense: it does not fill the log."""
    monkeypatch.setattr(world.server.unauthenticated, "gets_rows", lambda address: False)
    for _ in range(3):
        assert come_back(browser, start(browser), code=None, error="server_error").status == 400
    assert world.audited("upstream:refused") == []
    assert world.run(world.server.unauthenticated.summarise(world.storage, now=world.clock())) == 3
    (row,) = world.audited("refusals:summarised")
    assert row.details["check upstream_answer"] == "3"


def test_a_refusal_that_has_a_row_is_not_counted_among_those_without(world: ProviderWorld, browser: Browser) -> None:
    page = come_back(browser, start(browser), code=None)
    (row,) = world.audited("upstream:refused")
    assert row.trace_id
    assert row.trace_id in page.html
    assert world.run(world.server.unauthenticated.summarise(world.storage, now=world.clock())) == 0
