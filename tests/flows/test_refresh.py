"""Refresh tokens: rotation, the window for retries, reuse, races (standards 25-31, attacks 18, 28, 29)."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from ostiary.model.user import User
from ostiary.protocol import token_format
from ostiary.revocation import Act, revoke_client
from ostiary.storage.base import UnitOfWork
from tests.authorization_server.applications import (
    add_application,
    authorize_url,
    code_for,
    redeem,
    refresh,
    sign_in,
)
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import BILLS, ORDERS, Answer, World


@pytest.fixture
def first(browser: Browser, ada: User) -> dict[str, Any]:
    """The tokens of a first redemption."""
    sign_in(browser, ada)
    answer = redeem(browser.world, code_for(browser))
    assert answer.status == 200, answer.body
    tokens: dict[str, Any] = answer.json
    return tokens


def _posted_at_once(world: World, form: list[dict[str, str]]) -> list[Answer]:
    sent = {"content-type": "application/x-www-form-urlencoded"}

    async def all_of_them() -> list[Answer]:
        return await asyncio.gather(*(world.call("POST", "/token", urlencode(one).encode(), sent) for one in form))

    return world.run(all_of_them())


def _is_active(world: World, tokens: dict[str, Any]) -> bool:
    return bool(world.introspect(tokens["access_token"]).json["active"])


def test_a_retry_within_the_window_gets_the_same_successor_and_a_new_access_token(
    world: World, first: dict[str, Any]
) -> None:
    once = refresh(world, first["refresh_token"]).json
    world.clock.now += 9
    again = refresh(world, first["refresh_token"])
    assert again.status == 200, again.body
    assert again.json["refresh_token"] == once["refresh_token"]
    assert again.json["access_token"] != once["access_token"]
    assert _is_active(world, first)


def test_after_the_window_a_used_token_ends_its_family(world: World, first: dict[str, Any]) -> None:
    """standards 26."""
    successor = refresh(world, first["refresh_token"]).json
    world.clock.now += 10
    late = refresh(world, first["refresh_token"])
    assert (late.status, late.json["error"]) == (400, "invalid_grant")
    assert refresh(world, successor["refresh_token"]).status == 400
    assert not _is_active(world, first)
    assert not _is_active(world, successor)
    assert "refresh_token:reused" in {row.tag for row in world.audit()}


def test_a_used_token_ends_its_family_also_when_its_own_idle_time_is_over(
    world: World, browser: Browser, ada: User
) -> None:
    """RFC 9700 4.14.2: whoever has rotated meanwhile may be the thief."""
    sign_in(browser, ada)
    tokens = redeem(world, code_for(browser, authorize_url(scope="openid offline_access orders:read"))).json
    world.clock.now += world.settings.authorization.refresh_idle - 60
    successor = refresh(world, tokens["refresh_token"]).json
    world.clock.now += 120
    assert refresh(world, tokens["refresh_token"]).status == 400
    assert "refresh_token:reused" in {row.tag for row in world.audit()}
    assert refresh(world, successor["refresh_token"]).status == 400


def test_a_disabled_client_that_is_enabled_again_refreshes_nothing_of_before(
    world: World, first: dict[str, Any]
) -> None:
    world.write(lambda work: revoke_client(work, "app", Act("admin:boss", world.clock())))
    assert refresh(world, first["refresh_token"]).status == 401
    world.write(lambda work: _enable(work, "app"))
    assert refresh(world, first["refresh_token"]).status == 400
    assert not _is_active(world, first)


async def _enable(work: UnitOfWork, client_id: str) -> None:
    client = await work.clients.get(client_id)
    assert client is not None
    await work.clients.replace(replace(client, state="active"))


def test_once_the_successor_was_used_its_predecessor_is_reuse(world: World, first: dict[str, Any]) -> None:
    successor = refresh(world, first["refresh_token"]).json
    third = refresh(world, successor["refresh_token"])
    assert third.status == 200
    assert refresh(world, first["refresh_token"]).status == 400
    assert refresh(world, third.json["refresh_token"]).status == 400


@pytest.mark.parametrize("change", [{"scope": "openid"}, {"resource": ORDERS}])
def test_another_request_with_a_used_token_is_no_retry(
    world: World, first: dict[str, Any], change: dict[str, str]
) -> None:
    refresh(world, first["refresh_token"])
    assert refresh(world, first["refresh_token"], **change).status == 400
    assert not _is_active(world, first)


def test_fifty_uses_at_once_get_one_successor(world: World, first: dict[str, Any]) -> None:
    """standards 27, attack 28."""
    forms = [world.form("app", grant_type="refresh_token", refresh_token=first["refresh_token"]) for _ in range(50)]
    answers = _posted_at_once(world, forms)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    assert len({answer.json["access_token"] for answer in answers}) == 50
    assert refresh(world, answers[0].json["refresh_token"]).status == 200


def test_fifty_redemptions_of_one_code_have_one_winner_and_end_what_it_got(
    world: World, browser: Browser, ada: User
) -> None:
    """standards 13, attack 26."""
    sign_in(browser, ada)
    code = code_for(browser)
    forms = [
        world.form(
            "app",
            grant_type="authorization_code",
            code=code,
            redirect_uri="https://app.example.com/callback",
            code_verifier="dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnY",
        )
        for _ in range(50)
    ]
    answers = _posted_at_once(world, forms)
    won = [answer for answer in answers if answer.status == 200]
    assert len(won) == 1
    assert not _is_active(world, won[0].json)
    assert refresh(world, won[0].json["refresh_token"]).status == 400


def test_nothing_in_the_database_holds_or_opens_the_successor(world: World, first: dict[str, Any]) -> None:
    successor = refresh(world, first["refresh_token"]).json["refresh_token"]
    digest = token_format.digest(first["refresh_token"])
    record = world.read(lambda work: work.refresh_tokens.get(digest))
    assert successor.encode() not in (world.folder / "ostiary.db").read_bytes()
    with pytest.raises(Exception, match="not made here"):
        world.server.seals.open("refresh successor", record.successor, context=record.digest)


def test_the_sealed_successor_is_erased_at_the_end_of_the_window(world: World, first: dict[str, Any]) -> None:
    refresh(world, first["refresh_token"])
    assert world.write(lambda work: work.refresh_tokens.close_old_windows(int(world.clock()) + 9)) == [0]
    assert world.write(lambda work: work.refresh_tokens.close_old_windows(int(world.clock()) + 10)) == [1]
    assert refresh(world, first["refresh_token"]).status == 400


def test_the_family_keeps_the_absolute_end_of_its_first_token(world: World, first: dict[str, Any]) -> None:
    """standards 29."""
    life = world.settings.authorization.refresh_life
    token = first["refresh_token"]
    ends = set()
    for _ in range(3):
        record = world.read(lambda work, t=token: work.refresh_tokens.get(token_format.digest(t)))
        ends.add(record.expires_at)
        world.clock.now += 3600
        token = refresh(world, token).json["refresh_token"]
    assert ends == {int(world.clock.now - 3 * 3600) + life}


def test_an_unused_refresh_token_ends_by_itself(world: World, browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    tokens = redeem(world, code_for(browser, authorize_url(scope="openid offline_access orders:read"))).json
    world.clock.now += world.settings.authorization.refresh_idle
    assert refresh(world, tokens["refresh_token"]).status == 400


def test_another_client_cannot_use_a_refresh_token(world: World, first: dict[str, Any]) -> None:
    """standards 25."""
    add_application(world, "thief")
    refused = refresh(world, first["refresh_token"], "thief")
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")
    assert refresh(world, first["refresh_token"]).status == 200


def test_revoking_a_refresh_token_ends_its_grant(world: World, first: dict[str, Any]) -> None:
    """standards 75, 76: used or not, every token of its family ends."""
    second = refresh(world, first["refresh_token"]).json
    for token in (first["refresh_token"], second["refresh_token"]):
        assert world.post("/revoke", world.form("app", token=token, token_type_hint="access_token")).status == 200
        assert not _is_active(world, first)
        assert not _is_active(world, second)
        assert refresh(world, second["refresh_token"]).json["error"] == "invalid_grant"
        assert refresh(world, first["refresh_token"]).json["error"] == "invalid_grant"


def test_nobody_revokes_the_refresh_token_of_another(world: World, first: dict[str, Any]) -> None:
    add_application(world, "thief")
    refused = world.post("/revoke", world.form("thief", token=first["refresh_token"]))
    assert (refused.status, refused.json["error"]) == (400, "unauthorized_client")
    assert _is_active(world, first)
    assert refresh(world, first["refresh_token"]).status == 200


def test_a_refresh_token_that_nobody_made_is_passed_over(world: World, first: dict[str, Any]) -> None:
    """standards 75."""
    text = first["refresh_token"]
    for token in (text[:-1] + ("1" if text.endswith("0") else "0"), "ost_rt_", "ost_rt_\u00e9"):
        assert world.post("/revoke", world.form("app", token=token)).status == 200
    assert _is_active(world, first)


def test_a_client_that_may_do_nothing_at_the_api_any_more_gets_no_token_for_it(
    world: World, first: dict[str, Any]
) -> None:
    """The operator took the scopes away: a token without any would still name the user at the API."""
    client = world.read(lambda work: work.clients.get("app"))
    world.write(lambda work: work.clients.replace(replace(client, scopes={})))
    for asked in ({}, {"resource": ORDERS}):
        refused = refresh(world, first["refresh_token"], **asked)
        assert (refused.status, refused.json["error"]) == (400, "invalid_target")
    world.write(lambda work: work.clients.replace(client))
    assert refresh(world, first["refresh_token"]).status == 200


@pytest.mark.parametrize("kind", ["access_token", "id_token"])
def test_only_refresh_tokens_refresh(world: World, first: dict[str, Any], kind: str) -> None:
    """standards 28, attack 18."""
    assert refresh(world, first[kind]).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"scope": "openid orders:read orders:write"}, "invalid_scope"),
        ({"resource": BILLS}, "invalid_target"),
    ],
)
def test_a_refresh_never_widens(world: World, first: dict[str, Any], change: dict[str, str], error: str) -> None:
    """standards 31, attack 29."""
    refused = refresh(world, first["refresh_token"], **change)
    assert (refused.status, refused.json["error"]) == (400, error)
    assert refresh(world, first["refresh_token"]).status == 200


def test_a_narrower_token_is_given_and_the_next_may_be_wider_again(world: World, first: dict[str, Any]) -> None:
    narrow = refresh(world, first["refresh_token"], scope="orders:read")
    assert narrow.json["scope"] == "orders:read"
    wide = refresh(world, narrow.json["refresh_token"])
    assert wide.json["scope"] == "openid orders:read"


@pytest.mark.parametrize(("scope", "life"), [("openid orders:read", 90), ("openid offline_access orders:read", None)])
def test_no_access_token_outlives_the_session_that_it_hangs_on(
    world: World, browser: Browser, ada: User, scope: str, life: int | None
) -> None:
    """Else an API that verifies it alone would admit what introspection already calls ended."""
    sign_in(browser, ada)
    tokens = redeem(world, code_for(browser, authorize_url(scope=scope))).json
    code, usual = code_for(browser, authorize_url(scope=scope)), tokens["expires_in"]
    with sqlite3.connect(world.folder / "ostiary.db") as database:
        database.execute("UPDATE sessions SET expires_at = ?", [int(world.clock()) + 90])
    assert usual > 90
    assert redeem(world, code).json["expires_in"] == (life or usual)
    assert refresh(world, tokens["refresh_token"]).json["expires_in"] == (life or usual)
