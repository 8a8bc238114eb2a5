"""Who is let in: a token for this API, of the client itself, with the scope, and good at this moment."""

from __future__ import annotations

import pytest

from ostiary.revocation import Act, revoke_client
from tests.authorization_server.applications import add_application, authorize_url, code_for, redeem, sign_in
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import ORDERS, Answer, World
from tests.shared_signals.receiver import RESOURCE, Receiver, user_of

PATHS = [
    ("GET", "/ssf/streams"),
    ("POST", "/ssf/streams"),
    ("PATCH", "/ssf/streams"),
    ("PUT", "/ssf/streams"),
    ("DELETE", "/ssf/streams"),
    ("GET", "/ssf/status"),
    ("POST", "/ssf/status"),
    ("POST", "/ssf/subjects/add"),
    ("POST", "/ssf/subjects/remove"),
    ("POST", "/ssf/verify"),
    ("POST", "/ssf/poll/x"),
]


def _refused(world: World, answer: Answer, status: int, check: str) -> None:
    assert answer.status == status, answer.body
    assert world.trace(answer).checks[-1].name == check
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert world.audit()[-1].tag == "signals:refused"


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_without_a_token_nothing_is_done(world: World, method: str, path: str) -> None:
    answer = world.run(world.call(method, path, b"{}", {}))
    _refused(world, answer, 401, "token")
    assert "error" not in answer.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_token_for_another_api_is_refused(world: World, method: str, path: str) -> None:
    receiver = Receiver(world)
    other = world.access_token("app", resource=ORDERS)
    _refused(world, receiver.call(method, path, {} if method != "GET" else None, token=other), 401, "access_token")


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "ost_at_xxxxxx_yyyy"])
def test_what_is_no_token_is_refused(world: World, token: str) -> None:
    _refused(world, Receiver(world).call("GET", "/ssf/streams", token=token), 401, "access_token")


def test_a_token_of_a_user_is_refused(world: World) -> None:
    """A user can let an application read their orders, never be told of other users."""
    receiver = Receiver(world)
    user, browser = user_of(world, "ada"), Browser(world)
    sign_in(browser, user[0])
    url = authorize_url("app", resource=RESOURCE, scope="openid ssf.read ssf.manage")
    token = redeem(world, code_for(browser, url), "app").json["access_token"]
    answer = receiver.call("GET", "/ssf/streams", token=token)
    _refused(world, answer, 401, "access_token")


@pytest.mark.parametrize(
    ("method", "path"), [one for one in PATHS if one[0] != "GET" and not one[1].startswith("/ssf/poll")]
)
def test_who_may_only_read_changes_nothing(world: World, method: str, path: str) -> None:
    receiver = Receiver(world)
    answer = receiver.call(method, path, {}, token=receiver.token("ssf.read"))
    _refused(world, answer, 403, "scope")
    assert 'scope="ssf.manage"' in answer.headers["www-authenticate"]


def test_reading_and_fetching_need_the_lesser_scope(world: World) -> None:
    receiver = Receiver(world)
    receiver.create()
    for scope in ("ssf.read", "ssf.manage"):
        token = receiver.token(scope)
        assert receiver.call("GET", "/ssf/streams", token=token).status == 200
        path = f"/ssf/poll/{receiver.stream_id}"
        assert receiver.call("POST", path, {"returnImmediately": True}, token=token).status == 200


def test_a_token_that_has_ended_is_refused(world: World) -> None:
    receiver = Receiver(world)
    receiver.create()
    world.clock.now += 301
    _refused(world, receiver.poll(), 401, "access_token")


def test_the_stream_of_a_disabled_client_is_closed_at_once(world: World) -> None:
    receiver = Receiver(world)
    receiver.create()
    world.write(lambda work: revoke_client(work, "app", Act("cli", world.clock())))
    _refused(world, receiver.poll(), 401, "access_token")


def test_a_client_that_was_not_allowed_gets_no_token(world: World) -> None:
    Receiver(world)
    add_application(world, "site", grant_types=("authorization_code", "client_credentials"))
    assert world.token("site", resource=RESOURCE).json["error"] == "invalid_target"
