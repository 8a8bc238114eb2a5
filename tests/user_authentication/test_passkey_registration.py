"""Making, naming and removing passkeys on the account page; for each check one attempt that fails it alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.user_authentication.passkey_registration import MAX_PASSKEYS
from tests.authorization_server.world import ISSUER
from tests.user_authentication import authenticator
from tests.user_authentication.authenticator import BE, BS, UP, UV, Passkey, octets, text
from tests.user_authentication.browser import Browser, Page, PeopleWorld
from tests.user_authentication.passkeys import (
    add_passkey,
    options_of,
    passkeys_page,
    send_passkey,
    sign_in,
    url_of_options,
)

REFUSED = "The passkey was not added. Try again."


@pytest.fixture
def signed_in(browser: Browser) -> Browser:
    """Ada's browser, where she has just signed in by her password."""
    browser.sign_in()
    return browser


def attempt(browser: Browser, **twists: Any) -> Page:
    page = passkeys_page(browser)
    options = options_of(browser, page)
    passkey = Passkey(options["publicKey"]["rp"]["id"], octets(options["publicKey"]["user"]["id"]))
    answer = authenticator.register(passkey, ISSUER, options["publicKey"], **twists)
    return send_passkey(browser, page, answer, options["challenge"])


def assert_refused(world: PeopleWorld, page: Page, reason: str, told: str = REFUSED) -> None:
    assert (page.status, page.texts["problem"]) == (400, told), page.html
    refused = world.audited("factor:refused")[-1]
    assert (refused.reason, refused.outcome, refused.target) == (reason, "refused", world.user("ada").user_id)


def test_what_is_kept_of_a_passkey(world: PeopleWorld, signed_in: Browser) -> None:
    made = add_passkey(signed_in, name="  Ada's phone\u200b ", count=4, flags=UP | UV | BE)
    (factor,) = world.factors(kind="passkey")
    assert (factor.lookup, factor.counter, factor.name) == (made.id, 4, "Ada's phone")
    assert factor.details == {
        "transports": ["hybrid", "internal"],
        "aaguid": "08987058-cadc-4b81-b6e1-30de50dcbe96",
        "backed_up": False,
        "device_type": "multi_device",
    }
    assert made.key.public_key().public_numbers().x.to_bytes(32, "big") in factor.secret
    (added,) = world.audited("factor:added")[-1:]
    assert added.details == {"factor_id": factor.factor_id, "kind": "passkey"}
    assert sign_in(Browser(world), made).status == 303


def test_the_browser_is_asked_for_a_passkey_that_names_and_verifies_its_user(
    world: PeopleWorld, signed_in: Browser
) -> None:
    first = add_passkey(signed_in)
    options = options_of(signed_in, passkeys_page(signed_in))["publicKey"]
    ada = world.user("ada")
    assert options["rp"] == {"id": "auth.example.com", "name": "Ostiary"}
    assert octets(options["user"]["id"]) == ada.user_id.encode()
    assert (options["user"]["name"], options["attestation"]) == ("ada", "none")
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert [one["id"] for one in options["excludeCredentials"]] == [first.id]
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert len(octets(options["challenge"])) == 32


@pytest.mark.parametrize(
    "twists",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://auth.example.com"},
        {"rp_id": "evil.example"},
        {"flags": UP},
        {"flags": UV},
        {"flags": UP | UV | BS},
        {"kind": "webauthn.get"},
        {"challenge": text(bytes(32))},
        {"cross_origin": True},
        {"top_origin": "https://evil.example"},
        {"attestation_format": "fido-u2f"},
        {"attestation_format": "unheard-of"},
        {"algorithm": -47},
        {"algorithm": -36},
    ],
    ids=str,
)
def test_a_passkey_with_one_thing_wrong_is_refused(world: PeopleWorld, signed_in: Browser, twists: Any) -> None:
    assert_refused(world, attempt(signed_in, **twists), "passkey")
    assert not world.factors(kind="passkey")
    assert attempt(signed_in).status == 303, "the same without it is taken"


@pytest.mark.parametrize("length", [0, 1024])
def test_a_credential_id_of_impossible_length_is_refused(world: PeopleWorld, signed_in: Browser, length: int) -> None:
    page = passkeys_page(signed_in)
    options = options_of(signed_in, page)
    passkey = Passkey("auth.example.com", world.user("ada").user_id.encode(), credential_id=bytes(length))
    answer = authenticator.register(passkey, ISSUER, options["publicKey"])
    assert_refused(world, send_passkey(signed_in, page, answer, options["challenge"]), "passkey")


def test_the_longest_credential_id_is_taken(world: PeopleWorld, signed_in: Browser) -> None:
    page = passkeys_page(signed_in)
    options = options_of(signed_in, page)
    passkey = Passkey("auth.example.com", world.user("ada").user_id.encode(), credential_id=b"\x7f" * 1023)
    answer = authenticator.register(passkey, ISSUER, options["publicKey"])
    assert send_passkey(signed_in, page, answer, options["challenge"]).status == 303
    assert sign_in(Browser(world), passkey).status == 303


def test_an_id_that_is_not_the_signed_one_is_refused(world: PeopleWorld, signed_in: Browser) -> None:
    page = passkeys_page(signed_in)
    options = options_of(signed_in, page)
    _, answer = authenticator.make(ISSUER, options["publicKey"])
    answer["id"] = answer["rawId"] = text(b"the passkey of somebody else")
    assert_refused(world, send_passkey(signed_in, page, answer, options["challenge"]), "passkey")


def test_a_passkey_is_registered_once_whoever_has_it(world: PeopleWorld, signed_in: Browser) -> None:
    made = add_passkey(signed_in)
    world.add_user("grace")
    hers = Browser(world)
    hers.sign_in("grace")
    page = passkeys_page(hers, "grace")
    options = options_of(hers, page)
    answer = authenticator.register(made, ISSUER, options["publicKey"])
    done = send_passkey(hers, page, answer, options["challenge"])
    assert (done.status, world.audited("factor:refused")[-1].reason) == (400, "registered")
    assert not world.factors("grace", "passkey")


def test_a_challenge_of_another_user_of_this_browser_is_refused(world: PeopleWorld, signed_in: Browser) -> None:
    world.add_user("grace")
    signed_in.sign_in("grace")
    hers = options_of(signed_in, passkeys_page(signed_in, "grace"))
    page = passkeys_page(signed_in, "ada")
    _, answer = authenticator.make(ISSUER, hers["publicKey"])
    assert_refused(world, send_passkey(signed_in, page, answer, hers["challenge"]), "challenge")


def test_a_challenge_of_another_browser_is_refused(world: PeopleWorld, signed_in: Browser) -> None:
    other = Browser(world)
    other.sign_in()
    theirs = options_of(other, passkeys_page(other))
    page = passkeys_page(signed_in)
    _, answer = authenticator.make(ISSUER, theirs["publicKey"])
    assert_refused(world, send_passkey(signed_in, page, answer, theirs["challenge"]), "challenge")


def test_a_challenge_made_for_a_sign_in_makes_no_passkey(world: PeopleWorld, signed_in: Browser) -> None:
    page = passkeys_page(signed_in)
    other = options_of(signed_in, signed_in.open(f"{ISSUER}/sign-in"))
    options = options_of(signed_in, page)["publicKey"] | {"challenge": other["publicKey"]["challenge"]}
    _, answer = authenticator.make(ISSUER, options)
    assert_refused(world, send_passkey(signed_in, page, answer, other["challenge"]), "challenge")


@pytest.mark.parametrize(("seconds", "status"), [(299, 303), (302, 400)])
def test_a_challenge_is_good_for_five_minutes(
    world: PeopleWorld, signed_in: Browser, seconds: int, status: int
) -> None:
    page = passkeys_page(signed_in)
    options = options_of(signed_in, page)
    world.clock.now += seconds
    _, answer = authenticator.make(ISSUER, options["publicKey"])
    assert send_passkey(signed_in, page, answer, options["challenge"]).status == status


def test_a_challenge_is_answered_once(world: PeopleWorld, signed_in: Browser) -> None:
    page = passkeys_page(signed_in)
    options = options_of(signed_in, page)
    for status in (303, 400):
        _, answer = authenticator.make(ISSUER, options["publicKey"])
        assert send_passkey(signed_in, page, answer, options["challenge"]).status == status
    assert len(world.factors(kind="passkey")) == 1
    assert world.audited("factor:refused")[-1].reason == "challenge"


@pytest.mark.parametrize("part", ["clientDataJSON", "attestationObject"])
@pytest.mark.parametrize("sent", [b"", b"\xff" * 300, b"\x9f" * 5000, b"[" * 5000, b"\xa0", b"{}"], ids=range(6))
def test_malformed_octets_are_refused(world: PeopleWorld, signed_in: Browser, part: str, sent: bytes) -> None:
    page = passkeys_page(signed_in)
    options = options_of(signed_in, page)
    _, answer = authenticator.make(ISSUER, options["publicKey"])
    answer["response"][part] = text(sent)
    assert_refused(world, send_passkey(signed_in, page, answer, options["challenge"]), "passkey")


def test_a_passkey_is_made_by_somebody_who_has_just_signed_in_only(world: PeopleWorld, signed_in: Browser) -> None:
    page = passkeys_page(signed_in)
    options = options_of(signed_in, page)
    _, answer = authenticator.make(ISSUER, options["publicKey"])
    world.clock.now += 600
    assert signed_in.call("GET", page.url).header("location").startswith(f"{ISSUER}/sign-in?")
    assert signed_in.call("GET", url_of_options(page)).status == 303
    assert (
        send_passkey(signed_in, page, answer, options["challenge"]).header("location").startswith(f"{ISSUER}/sign-in")
    )
    assert not world.factors(kind="passkey")


def test_nobody_who_is_not_signed_in_gets_options(world: PeopleWorld, signed_in: Browser) -> None:
    url = url_of_options(passkeys_page(signed_in))
    assert Browser(world).call("GET", url).header("location").startswith(f"{ISSUER}/sign-in?")


def test_a_form_from_elsewhere_makes_no_passkey(world: PeopleWorld, signed_in: Browser) -> None:
    page = passkeys_page(signed_in)
    options = options_of(signed_in, page)
    _, answer = authenticator.make(ISSUER, options["publicKey"])
    assert send_passkey(signed_in, page, answer, options["challenge"], csrf="").status == 403
    assert not world.factors(kind="passkey")


def test_a_user_has_no_more_passkeys_than_there_can_be(world: PeopleWorld, signed_in: Browser) -> None:
    page = passkeys_page(signed_in)
    for _ in range(MAX_PASSKEYS):
        add_passkey(signed_in)
    options = options_of(signed_in, page)
    _, answer = authenticator.make(ISSUER, options["publicKey"])
    full = "You have as many passkeys as there can be. Remove one first."
    assert_refused(world, send_passkey(signed_in, page, answer, options["challenge"]), "count", full)
    assert len(world.factors(kind="passkey")) == MAX_PASSKEYS
    assert "passkey-form" not in passkeys_page(signed_in).forms


def rename(browser: Browser, page: Page, form: str, **fields: str) -> Page:
    return browser.send(page, form, follow=False, **fields)


def test_a_passkey_gets_another_name(world: PeopleWorld, signed_in: Browser) -> None:
    add_passkey(signed_in, name="Phone")
    (factor,) = world.factors(kind="passkey")
    done = rename(signed_in, passkeys_page(signed_in), f"name-{factor.factor_id}", name="<b>Tablet</b>" + "x" * 100)
    assert done.header("location").endswith("done=passkey_renamed")
    (renamed,) = world.factors(kind="passkey")
    assert renamed.name == ("<b>Tablet</b>" + "x" * 100)[:60]
    assert "<b>Tablet" not in passkeys_page(signed_in).html
    (changed,) = world.audited("factor:changed")
    assert changed.details == {"factor_id": factor.factor_id, "kind": "passkey", "changed": "name"}


def test_the_passkey_of_somebody_else_keeps_its_name(world: PeopleWorld, signed_in: Browser) -> None:
    add_passkey(signed_in, name="Phone")
    (factor,) = world.factors(kind="passkey")
    world.add_user("grace")
    hers = Browser(world)
    hers.sign_in("grace")
    add_passkey(hers, username="grace")
    (own,) = world.factors("grace", "passkey")
    page = passkeys_page(hers, "grace")
    rename(hers, page, f"name-{own.factor_id}", factor_id=factor.factor_id, name="Mine")
    assert [one.name for one in world.factors(kind="passkey")] == ["Phone"]


def test_only_a_passkey_is_renamed_here(world: PeopleWorld, signed_in: Browser) -> None:
    add_passkey(signed_in)
    (own,) = world.factors(kind="passkey")
    (password,) = world.factors(kind="password")
    page = passkeys_page(signed_in)
    rename(signed_in, page, f"name-{own.factor_id}", factor_id=password.factor_id, name="Mine")
    assert [one.name for one in world.factors(kind="password")] == [""]


def test_a_removed_passkey_opens_nothing(world: PeopleWorld, signed_in: Browser) -> None:
    made = add_passkey(signed_in)
    (factor,) = world.factors(kind="passkey")
    page = signed_in.call("GET", passkeys_page(signed_in).url.replace("/account/passkeys", "/account"))
    done = signed_in.send(page, f"remove-{factor.factor_id}", follow=False, factor_id=factor.factor_id)
    assert done.header("location").endswith("done=factor_removed")
    assert not world.factors(kind="passkey")
    assert sign_in(Browser(world), made).status == 400


def test_the_account_page_leads_to_the_passkeys(world: PeopleWorld, signed_in: Browser) -> None:
    page = signed_in.call("GET", passkeys_page(signed_in).url.replace("/account/passkeys", "/account"))
    assert 'id="add-passkey"' in page.html


def test_the_answer_of_a_passkey_stands_in_no_url_and_no_record(world: PeopleWorld, signed_in: Browser) -> None:
    made = add_passkey(signed_in)
    page = signed_in.open(f"{ISSUER}/sign-in")
    options = options_of(signed_in, page)
    answer = authenticator.sign(made, ISSUER, options["publicKey"])
    done = send_passkey(signed_in, page, answer, options["challenge"])
    records = json.dumps([[row.details, row.personal, row.reason] for row in world.audit()])
    for secret in (answer["response"]["signature"], options["challenge"]):
        assert secret not in done.header("location") + records
