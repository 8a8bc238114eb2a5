"""Attacks on the sign-in: a session that the attacker chose, and finding out who has an account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.protocol import token_format
from ostiary.revocation import revoke_user
from ostiary.storage.sqlite import SqliteConnection
from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import PASSWORD, Browser, PeopleWorld
from tests.user_authentication.test_sign_in import BROWSER, SESSION, url_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PeopleWorld]:
    """Ada and mallory have accounts."""
    world = PeopleWorld(tmp_path)
    try:
        world.add_user("ada")
        world.add_user("mallory")
        yield world
    finally:
        world.close()


def test_a_session_secret_that_the_attacker_planted_is_not_the_victims(world: PeopleWorld) -> None:
    """standards attack 41: a pre-set cookie of no session, and of one of the attacker's own."""
    installation = world.run(world.server.registry.installation())
    mallory = Browser(world)
    mallory.sign_in("mallory")
    for planted in (token_format.generate(token_format.SESSION, installation), mallory.cookies[SESSION]):
        victim = Browser(world)
        victim.cookies[SESSION] = planted
        victim.sign_in("ada")
        assert victim.cookies[SESSION] != planted
        # What the victim signs out of now is their own account, and the attacker's session is where it was.
        victim.send(victim.open(f"{ISSUER}/sign-out"), "sign-out-form")
        assert not world.sessions("ada")
        assert [one.digest for one in world.sessions("mallory")] == [token_format.digest(mallory.cookies[SESSION])]


def test_the_secret_before_a_sign_in_is_worthless_after_it(world: PeopleWorld) -> None:
    """standards 106: a new secret at every sign-in, the same person's too."""
    browser = Browser(world)
    browser.sign_in()
    stolen = dict(browser.cookies)
    browser.sign_in()
    thief = Browser(world)
    thief.cookies = stolen
    assert "signed-out" in thief.open(f"{ISSUER}/sign-out").texts
    assert "sign-out-form" in browser.open(f"{ISSUER}/sign-out").forms


def test_a_sign_in_page_that_the_attacker_opened_leads_the_victim_nowhere(world: PeopleWorld) -> None:
    """standards attack 41, 52: a pre-made login URL, with the attacker's form in it too."""
    mallory, victim = Browser(world), Browser(world)
    prepared = mallory.open(f"{ISSUER}/sign-in")
    assert victim.open(prepared.url).status == 400
    victim.open(f"{ISSUER}/sign-in")
    assert victim.open(prepared.url).status == 400
    assert victim.send(prepared, "sign-in-form", username="ada", password=PASSWORD).status == 403
    own = victim.open(f"{ISSUER}/sign-in").forms["sign-in-form"]["csrf"]
    assert victim.send(prepared, "sign-in-form", csrf=own, username="ada", password=PASSWORD).status == 400
    assert not world.sessions("ada")


def test_a_sign_in_that_the_victim_finished_is_of_no_use_to_who_has_its_url(world: PeopleWorld) -> None:
    """standards 106: every step is tied to the browser's cookie, not to a URL handle."""
    victim, thief = Browser(world), Browser(world)
    thief.open(f"{ISSUER}/sign-in")
    done = victim.sign_in("ada")
    assert thief.call("GET", done.header("location")).status == 400
    with_browser_cookie_alone = Browser(world)
    with_browser_cookie_alone.cookies = {BROWSER: victim.cookies[BROWSER]}
    assert "signed-out" in with_browser_cookie_alone.open(f"{ISSUER}/sign-out").texts


def test_the_attackers_half_sign_in_is_not_finished_by_the_victim(world: PeopleWorld) -> None:
    """standards attack 52: what A began, B does not finish."""
    world.add_codes(world.user("mallory"))
    mallory, victim = Browser(world), Browser(world)
    half = mallory.sign_in("mallory")
    victim.open(f"{ISSUER}/sign-in")
    assert victim.open(half.url).status == 400
    assert victim.send_code(half, "000000").status == 403


def test_an_interaction_says_nothing_that_its_browser_could_change(world: PeopleWorld) -> None:
    browser = Browser(world)
    browser.open(f"{ISSUER}/sign-in")
    url = url_of(browser, Interaction(started_at=int(world.clock())))
    for place in (60, len(url) // 2, len(url) - 3):
        altered = url[:place] + ("A" if url[place] != "A" else "B") + url[place + 1 :]
        assert browser.open(altered).status in (400, 404)


class Work:
    """What a sign-in costs the server: the statements that ran, and the runs of argon2id."""

    def __init__(self, world: PeopleWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        self.hashes = 0
        for name in ("one", "all", "run"):
            monkeypatch.setattr(SqliteConnection, name, self._noting(getattr(SqliteConnection, name)))
        passwords: Any = world.server.passwords
        matches = passwords._argon2_matches

        def counted(encoded: str, password: bytes) -> bool:
            self.hashes += 1
            return bool(matches(encoded, password))

        passwords._argon2_matches = counted

    def _noting(self, original: Any) -> Any:
        async def noted(connection: SqliteConnection, statement: Any, parameters: Any) -> Any:
            self.statements.append(statement.sqlite)
            return await original(connection, statement, parameters)

        return noted

    def of(self, browser: Browser, username: str, password: str) -> tuple[list[str], int]:
        page = browser.open(f"{ISSUER}/sign-in")
        self.statements.clear()
        self.hashes = 0
        assert browser.send(page, "sign-in-form", username=username, password=password).status == 400
        return list(self.statements), self.hashes


def test_a_refused_sign_in_does_the_same_work_whoever_it_is_about(
    world: PeopleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """standards attack 43: one argon2 and the same statements for a user, nobody, one without a password, a disabled
    one, and by name or address."""
    world.add_user("key", password=None)
    world.add_user("bob", email="bob@example.com", email_verified=True)
    gone = world.add_user("gone")
    world.write(lambda work: revoke_user(work, gone.user_id, world.act()))
    work = Work(world, monkeypatch)
    Browser(world).sign_in("nobody", "the decoy is made once")
    expected = work.of(Browser(world), "ada", "wrong")
    assert expected[1] == 1
    assert len(expected[0]) > 5
    for username in ("nobody", "key", "gone", "bob@example.com", "nobody@example.com", "x" * 5000):
        assert work.of(Browser(world), username, "wrong") == expected, username


def test_no_refusal_tells_who_is_throttled_for_not_being_there(world: PeopleWorld) -> None:
    statuses = {
        name: [Browser(world).sign_in(name, "wrong").status for _ in range(12)] for name in ("ada", "nobody", "key")
    }
    assert statuses["ada"] == statuses["nobody"] == statuses["key"]
    assert statuses["ada"][-1] == 429
