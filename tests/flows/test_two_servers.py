"""Codes and refresh tokens at two servers on one database, SQLite and PostgreSQL: one winner, one successor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from ostiary.certificate_authority.acme.nonces import check_nonce, new_nonce, use_nonce
from ostiary.certificate_authority.acme.problems import Problem
from ostiary.revocation import Act, revoke_session
from ostiary.storage.open import storage_for
from tests.authorization_server.applications import (
    add_application,
    add_user,
    authorize_url,
    code_for,
    code_form,
    redeem,
    refresh,
    sign_in,
)
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import Answer, World

Servers = tuple[World, World]


@pytest.fixture(params=["sqlite", "postgres"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Servers]:
    """Two servers with one database and one key-encryption key, the application ``app`` at them."""
    url = None
    if request.param == "postgres":
        url = str(request.getfixturevalue("migrated_postgres_url"))
    first = World(tmp_path, storage=storage_for(url) if url else None)
    second = World(tmp_path, clock=first.clock, storage=storage_for(url) if url else None)
    first.add_api()
    add_application(first)
    yield first, second
    first.close()
    second.close()


def _at_both(servers: Servers, forms: list[dict[str, str]]) -> list[Answer]:
    """Every form, half of them at each server, all at once."""
    sent = {"content-type": "application/x-www-form-urlencoded"}

    async def gathered(world: World, part: list[dict[str, str]]) -> list[Answer]:
        return await asyncio.gather(*(world.call("POST", "/token", urlencode(one).encode(), sent) for one in part))

    with ThreadPoolExecutor(2) as threads:
        halves = [threads.submit(world.run, gathered(world, forms[number::2])) for number, world in enumerate(servers)]
        return [answer for half in halves for answer in half.result()]


def _tokens(world: World) -> dict[str, Any]:
    browser = Browser(world)
    sign_in(browser, add_user(world))
    tokens: dict[str, Any] = redeem(world, code_for(browser)).json
    return tokens


def test_one_refresh_token_used_fifty_times_at_two_servers_has_one_successor(servers: Servers) -> None:
    """attack 28."""
    first, second = servers
    token = _tokens(first)["refresh_token"]
    forms = [first.form("app", grant_type="refresh_token", refresh_token=token) for _ in range(50)]
    answers = _at_both(servers, forms)
    assert {answer.status for answer in answers} == {200}, {answer.body for answer in answers}
    successors = {answer.json["refresh_token"] for answer in answers}
    assert len(successors) == 1
    assert refresh(second, successors.pop()).status == 200
    assert refresh(first, token).status == 400


def test_one_code_redeemed_fifty_times_at_two_servers_has_one_winner(servers: Servers) -> None:
    """attack 26."""
    first, second = servers
    browser = Browser(first)
    sign_in(browser, add_user(first))
    code = code_for(browser)
    answers = _at_both(servers, [code_form(first, code) for _ in range(50)])
    won = [answer for answer in answers if answer.status == 200]
    assert len(won) == 1
    assert {answer.status for answer in answers} == {200, 400}
    assert second.introspect(won[0].json["access_token"]).json == {"active": False}


def test_what_one_server_ends_the_other_refuses_on_the_next_request(servers: Servers) -> None:
    first, second = servers
    tokens = _tokens(first)
    session_id = first.read(lambda work: work.sessions.of_user("usr_ada"))[0].session_id
    assert second.introspect(tokens["access_token"]).json["active"] is True
    first.write(lambda work: revoke_session(work, session_id, Act("cli", first.clock())))
    assert second.introspect(tokens["access_token"]).json == {"active": False}
    assert refresh(second, tokens["refresh_token"]).status == 400


def test_a_request_begun_at_one_server_goes_on_at_the_other(servers: Servers) -> None:
    """What a browser is in the middle of is in no server's memory."""
    first, second = servers
    browser = Browser(first)
    sign_in(browser, add_user(first))
    browser.get(authorize_url())
    browser.world = second
    assert "code=" in browser.submit("consent-form", decision="allow").headers["location"]


def test_userinfo_takes_at_once_what_another_server_signed_with_a_new_key(servers: Servers) -> None:
    first, second = servers
    browser = Browser(first)
    sign_in(browser, add_user(first))
    for rotations in (0, 2):
        for _ in range(rotations):
            first.run(first.signing_keys.rotate(compromised=True))
        token = redeem(first, code_for(browser)).json["access_token"]
        assert second.get("/userinfo", authorization=f"Bearer {token}").status == 200


def test_an_acme_nonce_of_one_server_is_good_at_the_other_and_once_at_both(servers: Servers) -> None:
    first, second = servers
    nonce = new_nonce(first.server.seals.mac, first.clock())
    check_nonce(second.server.seals.mac, nonce, second.clock())
    second.write(lambda work: use_nonce(work, nonce, second.clock()))
    for world in servers:
        with pytest.raises(Problem, match="badNonce"):
            world.write(lambda work, world=world: use_nonce(work, nonce, world.clock()))
