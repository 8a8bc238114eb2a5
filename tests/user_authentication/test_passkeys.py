"""Signing in by a passkey, alone, as second factor and to step up; for each check one attempt that fails it alone."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest

from ostiary.errors import VerificationError
from ostiary.revocation import revoke_user
from ostiary.settings.sections import SignInSettings
from ostiary.user_authentication import passkey_challenge
from ostiary.user_authentication.acr import PHISHING_RESISTANT
from ostiary.user_authentication.relying_party import relying_party
from tests.authorization_server.world import ISSUER
from tests.user_authentication import authenticator
from tests.user_authentication.authenticator import BE, BS, UP, UV, Passkey, octets, text
from tests.user_authentication.browser import PASSWORD, Browser, Page, PeopleWorld, parallel
from tests.user_authentication.passkeys import add_passkey, options_of, passkeys_page, send_passkey, sign_in
from tests.user_authentication.test_sign_in import SESSION, secrets_of, state_of, url_of

SIGN_IN = f"{ISSUER}/sign-in"
REFUSED = "This passkey was not accepted. Try again, or sign in another way."


@pytest.fixture
def passkey(world: PeopleWorld) -> Passkey:
    """Ada's, made in another browser; its authenticator counts."""
    own = Browser(world)
    own.sign_in()
    made = add_passkey(own, name="Laptop", count=7)
    world.clock.now += 3600
    return made


def assert_refused(world: PeopleWorld, browser: Browser, page: Page, reason: str, *, told: str = REFUSED) -> None:
    assert (page.status, page.texts["problem"]) == (400, told), page.html
    assert SESSION not in browser.cookies
    assert len(world.sessions()) == 1  # of the browser in which the passkey was made
    refused = world.audited("sign_in:refused")[-1]
    assert (refused.reason, refused.details["method"]) == (reason, "passkey")


def test_a_passkey_alone_signs_its_user_in_without_a_name(
    world: PeopleWorld, browser: Browser, passkey: Passkey
) -> None:
    page = sign_in(browser, passkey)
    assert page.header("location").startswith(f"{ISSUER}/continue?")
    session = max(world.sessions(), key=lambda one: one.auth_time)
    assert (session.amr, session.acr) == (("hwk", "user", "pop", "mfa"), PHISHING_RESISTANT)
    assert session.auth_time == int(world.clock())
    (factor,) = world.factors(kind="passkey")
    assert (factor.counter, factor.last_used_at) == (8, int(world.clock()))


def test_a_passkey_that_is_copied_is_no_hardware_key(world: PeopleWorld, browser: Browser) -> None:
    own = Browser(world)
    own.sign_in()
    made = add_passkey(own, flags=UP | UV | BE | BS)
    sign_in(browser, made)
    amr = {session.amr for session in world.sessions()}
    assert ("swk", "user", "pop", "mfa") in amr


def test_it_is_enough_where_two_factors_are_required(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    require_second_factor(world)
    assert sign_in(browser, passkey).header("location").startswith(f"{ISSUER}/continue?")


def test_the_browser_is_asked_for_any_passkey_of_this_site_and_for_the_users_verification(browser: Browser) -> None:
    options = options_of(browser, browser.open(SIGN_IN))["publicKey"]
    assert set(options) <= {"challenge", "timeout", "rpId", "allowCredentials", "userVerification"}
    assert (options["rpId"], options["userVerification"]) == ("auth.example.com", "required")
    assert not options.get("allowCredentials")
    assert len(octets(options["challenge"])) == 32


def stored(world: PeopleWorld) -> list[str]:
    """Every row of the database."""
    with closing(sqlite3.connect(world.folder / "ostiary.db")) as connection:
        return list(connection.iterdump())


def test_each_page_has_a_challenge_of_its_own_and_nothing_is_stored_for_it(
    world: PeopleWorld, browser: Browser
) -> None:
    page = browser.open(SIGN_IN)
    before = stored(world)
    challenges = {options_of(browser, page)["publicKey"]["challenge"] for _ in range(20)}
    assert len(challenges) == 20
    assert stored(world) == before


def test_another_browser_gets_no_options_for_this_ones_page(world: PeopleWorld, browser: Browser) -> None:
    page = browser.open(SIGN_IN)
    stranger = Browser(world)
    stranger.open(SIGN_IN)
    url = page.html.partition('data-get="')[2].partition('"')[0].replace("&amp;", "&")
    assert stranger.call("GET", url).status == 400


@pytest.mark.parametrize(
    "twists",
    [
        {"origin": "https://auth.example.com.evil.example"},
        {"origin": "http://auth.example.com"},
        {"origin": "https://auth.example.com:8443"},
        {"rp_id": "example.com"},
        {"rp_id": "evil.example"},
        {"flags": UP},
        {"flags": UV},
        {"flags": UP | UV | BE},
        {"flags": UP | UV | BS},
        {"kind": "webauthn.create"},
        {"challenge": text(bytes(32))},
        {"cross_origin": True},
        {"top_origin": "https://evil.example"},
        {"user_handle": None},
        {"user_handle": text(b"usr_somebody_else")},
    ],
    ids=str,
)
def test_an_assertion_with_one_thing_wrong_is_refused(
    world: PeopleWorld, browser: Browser, passkey: Passkey, twists: Any
) -> None:
    assert_refused(world, browser, sign_in(browser, passkey, **twists), "passkey")
    (factor,) = world.factors(kind="passkey")
    assert factor.counter == 7  # what was refused moves nothing
    assert sign_in(browser, passkey).header("location"), "the same without it is taken"


@pytest.mark.parametrize("part", ["signature", "authenticatorData", "clientDataJSON"])
def test_an_altered_assertion_is_refused(world: PeopleWorld, browser: Browser, passkey: Passkey, part: str) -> None:
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    answer = authenticator.sign(passkey, ISSUER, options["publicKey"])
    raw = octets(answer["response"][part])
    altered = raw[:-2] + bytes([raw[-2] ^ 1]) + raw[-1:]
    answer["response"][part] = text(altered)
    assert_refused(world, browser, send_passkey(browser, page, answer, options["challenge"]), "passkey")
    answer["response"][part] = text(raw)
    assert send_passkey(browser, page, answer, options["challenge"]).status == 303


def test_the_key_of_another_passkey_is_refused(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    other = Passkey(passkey.rp_id, passkey.user_handle, passkey.count, credential_id=passkey.credential_id)
    assert_refused(world, browser, sign_in(browser, other), "passkey")


def test_a_passkey_that_is_not_registered_is_refused(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    other = Passkey(passkey.rp_id, passkey.user_handle, passkey.count, key=passkey.key)
    assert_refused(world, browser, sign_in(browser, other), "passkey")


def test_a_removed_passkey_is_refused(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    (factor,) = world.factors(kind="passkey")
    world.write(lambda work: work.factors.remove(factor.factor_id))
    assert_refused(world, browser, sign_in(browser, passkey), "passkey")


def test_a_challenge_of_another_browser_is_refused(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    stranger = Browser(world)
    theirs = options_of(stranger, stranger.open(SIGN_IN))
    assert_refused(world, browser, sign_in(browser, passkey, options=theirs), "challenge")
    assert sign_in(stranger, passkey, options=theirs).status == 303, "in its own browser it is good"


def test_a_challenge_made_for_a_registration_signs_nobody_in(world: PeopleWorld, passkey: Passkey) -> None:
    own = Browser(world)
    own.sign_in()
    sealed = options_of(own, passkeys_page(own))
    assert sign_in(own, passkey, options=sealed).status == 400
    assert world.audited("sign_in:refused")[-1].reason == "challenge"


def test_a_challenge_is_for_one_ceremony(world: PeopleWorld, browser: Browser) -> None:
    browser.open(SIGN_IN)
    secrets, now = secrets_of(browser), world.clock()
    made = passkey_challenge.new_challenge(world.server, secrets, "registration", now)
    passkey_challenge.opened(world.server, secrets, "registration", made.sealed, now)
    with pytest.raises(VerificationError, match="expired"):
        passkey_challenge.opened(world.server, secrets, "sign-in", made.sealed, now)


@pytest.mark.parametrize(("seconds", "status"), [(299, 303), (302, 400)])
def test_a_challenge_is_good_for_five_minutes(
    world: PeopleWorld, browser: Browser, passkey: Passkey, seconds: int, status: int
) -> None:
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    world.clock.now += seconds
    answer = sign_in(browser, passkey, page=page, options=options)
    assert answer.status == status
    if status == 400:
        assert_refused(world, browser, answer, "challenge")


def test_a_challenge_is_answered_once(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    assert sign_in(browser, passkey, page=page, options=options).status == 303
    # The counter has risen, so that nothing but the challenge is in the way.
    again = sign_in(browser, passkey, page=page, options=options)
    assert (again.status, world.audited("sign_in:refused")[-1].reason) == (400, "challenge")


def test_of_ten_that_send_the_same_assertion_at_once_one_signs_in(world: PeopleWorld, browser: Browser) -> None:
    own = Browser(world)
    own.sign_in()
    made = add_passkey(own)  # without a counter: the challenge alone decides
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    answer = authenticator.sign(made, ISSUER, options["publicKey"])
    fields = {**page.forms["passkey-form"], "passkey": json.dumps(answer), "challenge": options["challenge"]}
    answers = parallel(
        world, *(browser.request("POST", page.actions["passkey-form"], urlencode(fields)) for _ in range(10))
    )
    assert sorted(one.status for one in answers) == [303] + [400] * 9


@pytest.mark.parametrize("count", [7, 3, 0])
def test_a_counter_that_does_not_rise_is_refused_as_a_sign_of_a_copy(
    world: PeopleWorld, browser: Browser, passkey: Passkey, count: int
) -> None:
    assert_refused(world, browser, sign_in(browser, passkey, count=count), "sign_count")
    (alarm,) = world.audited("passkey:clone_suspected")
    (factor,) = world.factors(kind="passkey")
    assert (alarm.target, alarm.details["factor_id"]) == (world.user("ada").user_id, factor.factor_id)
    assert factor.counter == 7


def test_a_copy_is_found_when_both_are_used(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    copy = passkey.copied()
    assert sign_in(browser, passkey).status == 303
    assert sign_in(Browser(world), copy).status == 400
    assert len(world.audited("passkey:clone_suspected")) == 1


def test_a_forged_assertion_raises_no_alarm(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    forged = Passkey(passkey.rp_id, passkey.user_handle, credential_id=passkey.credential_id)
    assert_refused(world, browser, sign_in(browser, forged, count=1), "passkey")
    assert not world.audited("passkey:clone_suspected")


def test_of_two_with_the_same_count_at_once_one_signs_in_and_the_other_is_an_alarm(
    world: PeopleWorld, browser: Browser, passkey: Passkey
) -> None:
    sent = []
    for one in (passkey, passkey.copied()):
        page = browser.open(SIGN_IN)
        options = options_of(browser, page)
        answer = authenticator.sign(one, ISSUER, options["publicKey"])
        fields = {**page.forms["passkey-form"], "passkey": json.dumps(answer), "challenge": options["challenge"]}
        sent.append(browser.request("POST", page.actions["passkey-form"], urlencode(fields)))
    assert sorted(one.status for one in parallel(world, *sent)) == [303, 400]
    assert len(world.audited("passkey:clone_suspected")) == 1


def test_an_authenticator_without_a_counter_is_taken_again_and_again(world: PeopleWorld, browser: Browser) -> None:
    own = Browser(world)
    own.sign_in()
    made = add_passkey(own)
    for _ in range(2):
        assert sign_in(browser, made).status == 303


def test_whether_it_is_backed_up_is_kept_up_to_date(world: PeopleWorld, browser: Browser) -> None:
    own = Browser(world)
    own.sign_in()
    made = add_passkey(own, flags=UP | UV | BE)
    sign_in(browser, made, flags=UP | UV | BE | BS)
    (factor,) = world.factors(kind="passkey")
    assert factor.details == {
        "transports": ["hybrid", "internal"],
        "aaguid": "08987058-cadc-4b81-b6e1-30de50dcbe96",
        "backed_up": True,
        "device_type": "multi_device",
    }


def test_a_disabled_user_is_refused_in_the_same_words(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    ada = world.user("ada").user_id
    world.write(lambda work: revoke_user(work, ada, world.act()))
    page = sign_in(browser, passkey)
    assert (page.status, page.texts["problem"]) == (400, REFUSED)
    refused = world.audited("sign_in:refused")[-1]
    assert (refused.reason, refused.target) == ("account", ada)
    assert SESSION not in browser.cookies


def test_wrong_passwords_do_not_stop_a_passkey_nor_wrong_passkeys_a_password(
    world: PeopleWorld, browser: Browser, passkey: Passkey
) -> None:
    for _ in range(12):
        last = browser.sign_in(password="wrong-wrong-wrong")
    assert last.status == 429
    assert sign_in(browser, passkey).status == 303
    other = Browser(world, address="198.51.100.9")
    for _ in range(12):
        assert sign_in(other, passkey, flags=UP).status == 400
    assert other.sign_in().status == 303


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "{}",
        "[]",
        "null",
        "1e999",
        "{" * 2000,
        "[" * 20_000,
        '{"id":"AA","rawId":"AA","response":{}}',
        '{"id":1,"rawId":"AA","response":{"clientDataJSON":"AA","authenticatorData":"AA","signature":"AA"}}',
        '{"id":"é","rawId":"é","response":{"clientDataJSON":"AA","authenticatorData":"AA","signature":"AA"}}',
    ],
    ids=range(10),
)
def test_what_is_no_assertion_is_refused(world: PeopleWorld, browser: Browser, passkey: Passkey, sent: str) -> None:
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    fields = {"passkey": sent or " ", "challenge": options["challenge"]}
    assert_refused(world, browser, browser.send(page, "passkey-form", **fields), "passkey")


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
@pytest.mark.parametrize("octets_sent", [b"", b"\x00", b"\xff" * 300, b"[" * 5000, b"{}", b"null"])
def test_malformed_octets_are_refused(
    world: PeopleWorld, browser: Browser, passkey: Passkey, part: str, octets_sent: bytes
) -> None:
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    answer = authenticator.sign(passkey, ISSUER, options["publicKey"])
    answer["response"][part] = text(octets_sent)
    assert_refused(world, browser, send_passkey(browser, page, answer, options["challenge"]), "passkey")


@pytest.mark.parametrize("member", ["id", "rawId"])
def test_the_two_names_of_a_credential_must_agree(
    world: PeopleWorld, browser: Browser, passkey: Passkey, member: str
) -> None:
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    answer = authenticator.sign(passkey, ISSUER, options["publicKey"])
    answer[member] = text(b"another")
    assert_refused(world, browser, send_passkey(browser, page, answer, options["challenge"]), "passkey")


def test_an_assertion_without_its_challenge_is_refused(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    answer = authenticator.sign(passkey, ISSUER, options["publicKey"])
    assert_refused(world, browser, send_passkey(browser, page, answer, ""), "challenge")


def test_a_form_from_elsewhere_is_refused(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    page = browser.open(SIGN_IN)
    options = options_of(browser, page)
    answer = authenticator.sign(passkey, ISSUER, options["publicKey"])
    done = browser.send(page, "passkey-form", passkey=json.dumps(answer), challenge=options["challenge"], csrf="")
    assert done.status == 403


# As the second factor, and in a step-up


def require_second_factor(world: PeopleWorld) -> None:
    wanted = SignInSettings(second_factor="required")
    world.server.settings = world.settings.model_copy(update={"sign_in": wanted})


def test_it_follows_a_password(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    require_second_factor(world)
    page = browser.sign_in()
    assert (page.status, page.path) == (200, "/sign-in/second-factor")
    assert SESSION not in browser.cookies
    (allowed,) = options_of(browser, page)["publicKey"]["allowCredentials"]
    assert (allowed["id"], allowed["transports"]) == (passkey.id, ["hybrid", "internal"])
    # An authenticator that is told which passkey is wanted need not say whose it is.
    done = sign_in(browser, passkey, page=page, user_handle=None)
    assert done.header("location").startswith(f"{ISSUER}/continue?")
    session = max(world.sessions(), key=lambda one: one.auth_time)
    assert (session.amr, session.acr) == (("pwd", "hwk", "user", "pop", "mfa"), PHISHING_RESISTANT)


def test_the_passkey_of_somebody_else_does_not_follow_a_password(world: PeopleWorld, passkey: Passkey) -> None:
    require_second_factor(world)
    grace = world.add_user("grace")
    own = Browser(world)
    own.sign_in("grace", PASSWORD)
    world.server.settings = world.settings
    own.sign_in("grace", PASSWORD)
    hers = add_passkey(own, username="grace")
    require_second_factor(world)
    browser = Browser(world)
    page = browser.sign_in("ada")
    done = sign_in(browser, hers, page=page)
    assert (done.status, done.texts["problem"]) == (400, REFUSED)
    assert not [one for one in world.sessions() if one.auth_time == int(world.clock())]
    assert grace.user_id not in done.html
    lied = sign_in(browser, passkey, page=page, user_handle=text(grace.user_id.encode()))
    assert lied.status == 400


@pytest.mark.parametrize("twists", [{"flags": UP}, {"origin": "https://evil.example"}, {"count": 7}], ids=str)
def test_a_wrong_one_does_not_follow_a_password(
    world: PeopleWorld, browser: Browser, passkey: Passkey, twists: Any
) -> None:
    require_second_factor(world)
    page = sign_in(browser, passkey, page=browser.sign_in(), **twists)
    assert (page.status, page.path, page.texts["problem"]) == (400, "/sign-in/second-factor", REFUSED)
    assert SESSION not in browser.cookies


def test_it_steps_a_session_up(world: PeopleWorld, browser: Browser, passkey: Passkey) -> None:
    browser.sign_in()
    session = max(world.sessions(), key=lambda one: one.auth_time)
    state = state_of(browser, browser.call("GET", SIGN_IN))
    stepping = type(state)(started_at=state.started_at, session_id=session.session_id, step_up=True)
    page = browser.open(url_of(browser, stepping, "/sign-in/second-factor"))
    done = sign_in(browser, passkey, page=page)
    assert done.header("location").startswith(f"{ISSUER}/continue?")
    stepped = next(one for one in world.sessions() if one.session_id == session.session_id)
    assert (stepped.amr, stepped.acr) == (("pwd", "hwk", "user", "pop", "mfa"), PHISHING_RESISTANT)


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("https://auth.example.com", ("auth.example.com", "https://auth.example.com")),
        ("https://Auth.Example.com:443/tenant", ("auth.example.com", "https://auth.example.com")),
        ("https://auth.example.com:8443", ("auth.example.com", "https://auth.example.com:8443")),
        ("http://localhost:8080", ("localhost", "http://localhost:8080")),
        ("http://127.0.0.1:8080", None),
        ("https://[::1]:8080", None),
        ("http://auth.example.com", None),
    ],
)
def test_passkeys_belong_to_the_issuers_host(issuer: str, expected: tuple[str, str] | None) -> None:
    party = relying_party(issuer)
    assert (None if party is None else (party.id, party.origin)) == expected


def test_where_passkeys_cannot_work_the_pages_do_not_offer_them(tmp_path: Any) -> None:
    world = PeopleWorld(tmp_path)
    try:
        world.server.settings = world.settings.model_copy(update={"issuer": "https://192.0.2.1"})
        browser = Browser(world)
        assert "passkey" not in browser.call("GET", browser.call("GET", SIGN_IN).header("location")).html
    finally:
        world.close()


def test_the_page_offers_passkeys_in_the_suggestions_of_the_name(world: PeopleWorld, browser: Browser) -> None:
    page = browser.open(SIGN_IN)
    assert 'autocomplete="username webauthn"' in page.html
    refused = browser.send(page, "passkey-form", passkey="{}", challenge="x")
    assert "webauthn" not in refused.html.partition('id="password"')[0]
    assert 'type="module"' in page.html
