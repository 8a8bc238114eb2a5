"""Guessing is slowed down, and nobody can lock somebody else out by it."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.user_authentication import throttle
from ostiary.user_authentication.throttle import NETWORK_LIMIT, OWN_LIMIT, PRESSED_LIMIT, USER_LIMIT, WINDOW
from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import PASSWORD, Browser, PeopleWorld, code_at, parallel
from tests.user_authentication.test_sign_in import BROWSER


def guess(browser: Browser, count: int, username: str = "ada") -> list[int]:
    """Wrong passwords from one browser, and how each was answered."""
    page = browser.open(f"{ISSUER}/sign-in")
    return [
        browser.send(page, "sign-in-form", username=username, password=f"wrong-{number}").status
        for number in range(count)
    ]


@pytest.fixture
def hashed(world: PeopleWorld) -> list[bytes]:
    """The passwords that were really examined."""
    seen: list[bytes] = []
    passwords: Any = world.server.passwords
    verified = passwords._verified

    def examine(encoded: str | None, password: bytes) -> bool:
        seen.append(password)
        return bool(verified(encoded, password))

    passwords._verified = examine
    return seen


def test_after_ten_wrong_passwords_the_next_is_not_examined(
    world: PeopleWorld, browser: Browser, hashed: list[bytes]
) -> None:
    assert guess(browser, OWN_LIMIT + 2) == [400] * OWN_LIMIT + [429] * 2
    assert len(hashed) == OWN_LIMIT
    page = browser.sign_in()
    assert (page.status, page.header("retry-after")) == (429, str(WINDOW))
    assert page.texts["problem"] == "There were too many tries. Try again in 15 min."
    assert not world.sessions()
    assert world.audited("sign_in:refused")[-1].reason == "throttle"
    assert world.audited("sign_in:refused")[-1].target == world.user("ada").user_id


def test_the_way_is_free_again_after_the_window(world: PeopleWorld, browser: Browser) -> None:
    guess(browser, OWN_LIMIT + 5)
    world.clock.now += WINDOW - 1
    assert browser.sign_in().status == 429
    world.clock.now += 1
    assert browser.sign_in().status == 303


def test_tries_sent_at_once_do_not_slip_through(world: PeopleWorld, hashed: list[bytes]) -> None:
    browsers = [Browser(world) for _ in range(3 * OWN_LIMIT)]
    pages = [one.open(f"{ISSUER}/sign-in") for one in browsers]
    answers = parallel(
        world,
        *(
            one.request(
                "POST",
                page.url,
                f"csrf={page.forms['sign-in-form']['csrf']}&username=ada&password=wrong",
            )
            for one, page in zip(browsers, pages, strict=True)
        ),
    )
    assert len(hashed) == OWN_LIMIT
    assert sorted(answer.status for answer in answers) == [400] * OWN_LIMIT + [429] * 2 * OWN_LIMIT


def test_a_success_forgets_the_tries_before_it(world: PeopleWorld) -> None:
    for _ in range(3):
        browser = Browser(world)
        assert guess(browser, OWN_LIMIT - 1)[-1] == 400
        assert browser.sign_in().status == 303


def test_nobody_is_counted_as_somebody_is(world: PeopleWorld) -> None:
    assert guess(Browser(world), OWN_LIMIT + 1, "nobody") == guess(Browser(world), OWN_LIMIT + 1, "ada")


def test_no_count_tells_that_a_name_and_an_address_are_one_persons(world: PeopleWorld, browser: Browser) -> None:
    world.add_user("bob", email="bob@example.com", email_verified=True)
    for name, address in (("bob", "bob@example.com"), ("nobody", "nobody@example.com")):
        guess(browser, OWN_LIMIT, name)
        assert guess(browser, 1, address) == [400]


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_another_writing_of_a_name_buys_no_tries(browser: Browser, name: str) -> None:
    guess(browser, OWN_LIMIT, name)
    assert guess(browser, 1, f" {name.upper()} ") == [429]


def test_the_tries_of_one_network_are_counted_together(world: PeopleWorld) -> None:
    guess(Browser(world, address="192.0.2.7"), OWN_LIMIT)
    assert Browser(world, address="192.0.2.200").sign_in().status == 429
    assert Browser(world, address="192.0.3.7").sign_in().status == 303
    guess(Browser(world, address="2001:db8:0:17::1"), OWN_LIMIT)
    assert Browser(world, address="2001:db8:0:1f::2").sign_in().status == 429
    assert Browser(world, address="2001:db8:0:100::1").sign_in().status == 303


def test_one_network_cannot_try_everybody(world: PeopleWorld) -> None:
    attacker = Browser(world, address="198.51.100.1")
    answers = [guess(attacker, 1, f"user{number}")[0] for number in range(NETWORK_LIMIT + 3)]
    assert answers == [400] * NETWORK_LIMIT + [429] * 3
    assert Browser(world, address="192.0.2.7").sign_in().status == 303


def test_where_no_address_is_known_nobody_fills_a_count_for_everybody(world: PeopleWorld) -> None:
    attacker = Browser(world, address="")
    answers = [guess(attacker, 1, f"user{number}")[0] for number in range(NETWORK_LIMIT + 3)]
    assert set(answers) == {400}
    assert Browser(world, address="").sign_in().status == 303


def test_an_account_of_ones_own_buys_no_tries_on_others(world: PeopleWorld) -> None:
    world.add_user("mallory")
    attacker = Browser(world, address="198.51.100.1")
    for number in range(NETWORK_LIMIT):
        guess(attacker, 1, f"user{number}")
        if number % 20 == 0:
            assert Browser(world, address="198.51.100.1").sign_in("mallory").status == 303
    assert guess(attacker, 1, "victim") == [429]


# -- the victim ---------------------------------------------------------------------------------------------------


def besiege(world: PeopleWorld, networks: int = USER_LIMIT // OWN_LIMIT + 10) -> None:
    """Wrong passwords for ada from many networks, until each of them is stopped."""
    for number in range(networks):
        guess(Browser(world, address=f"198.51.{number}.1"), OWN_LIMIT + 1)


def test_an_attacker_from_many_addresses_does_not_stop_the_victim_in_a_known_browser(world: PeopleWorld) -> None:
    known = Browser(world)
    known.sign_in()
    besiege(world)
    assert known.sign_in().status == 303


def test_a_known_browser_is_known_in_the_attackers_own_network_too(world: PeopleWorld) -> None:
    known = Browser(world, address="203.0.113.5")
    known.sign_in()
    attacker = Browser(world, address="203.0.113.66")
    guess(attacker, OWN_LIMIT + 1)
    for number in range(NETWORK_LIMIT):
        guess(attacker, 1, f"user{number}")
    assert Browser(world, address="203.0.113.5").sign_in().status == 429
    assert known.sign_in().status == 303


def test_an_attacker_from_many_addresses_does_not_stop_the_victim_in_a_new_browser_of_their_network(
    world: PeopleWorld,
) -> None:
    besiege(world)
    assert guess(Browser(world), PRESSED_LIMIT - 1) == [400] * (PRESSED_LIMIT - 1)
    assert Browser(world).sign_in().status == 303


def test_a_user_who_is_tried_from_everywhere_has_fewer_tries_in_each_network(world: PeopleWorld) -> None:
    besiege(world)
    answers = guess(Browser(world, address="192.0.2.9"), PRESSED_LIMIT + 1)
    assert answers == [400] * PRESSED_LIMIT + [429]


def test_a_known_browser_has_ten_tries_of_its_own(world: PeopleWorld) -> None:
    known = Browser(world)
    known.sign_in()
    assert guess(known, OWN_LIMIT + 1) == [400] * OWN_LIMIT + [429]
    assert Browser(world).sign_in().status == 303


def test_a_browser_is_known_for_its_own_users_only(world: PeopleWorld) -> None:
    world.add_user("mallory")
    attacker = Browser(world)
    attacker.sign_in("mallory")
    guess(Browser(world), OWN_LIMIT, "ada")
    assert attacker.sign_in("ada").status == 429


def test_a_made_up_browser_is_not_known(world: PeopleWorld) -> None:
    known = Browser(world)
    known.sign_in()
    other = Browser(world)
    other.open(f"{ISSUER}/sign-in")
    assert other.cookies[BROWSER] != known.cookies[BROWSER]
    guess(other, OWN_LIMIT)
    assert other.sign_in().status == 429


# -- codes --------------------------------------------------------------------------------------------------------


def test_codes_are_counted_over_all_networks_for_who_has_the_password(world: PeopleWorld) -> None:
    known = Browser(world)
    known.sign_in()
    key = world.add_codes(world.user("ada"))
    recovery = world.add_recovery_codes(world.user("ada"))[0]
    world.clock.now += 60
    statuses = []
    for number in range(OWN_LIMIT + 2):
        attacker = Browser(world, address=f"198.51.{number}.1")
        statuses.append(attacker.send_code(attacker.sign_in(), "000000").status)
    assert statuses == [400] * OWN_LIMIT + [429] * 2
    # The victim has their own browser, and elsewhere a recovery code.
    code = code_at(key, world.clock())
    stranger = Browser(world, address="203.0.113.9")
    page = stranger.sign_in()
    assert stranger.send_code(page, code).status == 429
    assert stranger.send_code(page, recovery, "recovery_code").status == 303
    assert known.send_code(known.sign_in(), code).status == 303


def test_a_right_code_forgets_the_wrong_ones(world: PeopleWorld) -> None:
    key = world.add_codes(world.user("ada"))
    for _ in range(2):
        world.clock.now += 60
        browser = Browser(world)
        page = browser.sign_in()
        for _ in range(OWN_LIMIT - 1):
            assert browser.send_code(page, "000000").status == 400
        assert browser.send_code(page, code_at(key, world.clock())).status == 303


def test_a_flood_of_refusals_is_summed_up_and_counted_all_the_same(
    world: PeopleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What strangers send does not fill the log, and what fills no log is throttled too."""
    monkeypatch.setattr(world.server.unauthenticated, "gets_rows", lambda address: False)
    assert guess(Browser(world), OWN_LIMIT + 2) == [400] * OWN_LIMIT + [429] * 2
    assert not world.audited("sign_in:refused")
    assert world.run(world.server.unauthenticated.summarise(world.storage, now=world.clock())) == OWN_LIMIT + 2
    (row,) = world.audited("refusals:summarised")
    assert (row.details["check password"], row.details["check throttle"]) == (str(OWN_LIMIT), "2")


# -- the place ----------------------------------------------------------------------------------------------------


def test_a_typed_name_is_not_kept(world: PeopleWorld, browser: Browser) -> None:
    """Somebody may have typed their password there."""
    guess(browser, 2, PASSWORD + "-typed-as-a-name")
    at_rest = b"".join(path.read_bytes() for path in world.folder.glob("ostiary.db*"))
    assert b"typed-as-a-name" not in at_rest
    assert throttle.subject("a") != throttle.subject("b")
