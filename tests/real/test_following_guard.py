"""A guard that follows a real server: its workers, its restarts, its end, its new signing keys."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ostiary.protocol import base64url
from ostiary.resource_server import ApiRequest, IssuerConfig, Refused, ResourceServer
from ostiary.resource_server.feed import RevocationStatus
from tests.real.served import CLIENT_ID, ORDERS, Served
from tests.resource_server.waiting import until

pytestmark = pytest.mark.real


@contextmanager
def following(served: Served) -> Iterator[ResourceServer]:
    """A guard with the API's own key, which reaches the issuer without the proxy in front."""
    issuer = IssuerConfig(served.issuer, internal_url=served.url)
    guard = ResourceServer(issuer, ORDERS, served.api_file, traces=[], environment={})
    try:
        yield guard
    finally:
        guard.close()


def status(guard: ResourceServer) -> RevocationStatus:
    return next(iter(guard.revocation_status().values()))


def told(guard: ResourceServer, token: str) -> str:
    """What the guard says of ``token``: who it is, or why not."""
    request = ApiRequest("GET", "/orders", headers=[(b"authorization", f"Bearer {token}".encode())])
    try:
        return guard.check_sync(request).client_id
    except Refused as refused:
        return refused.description


def revoke(served: Served, token: str) -> None:
    form = {name: value for name, value in served.form().items() if name.startswith("client_")}
    assert served.ask("/revoke", form | {"token": token}).status_code == 200


def claims(token: str) -> dict[str, object]:
    members: dict[str, object] = json.loads(base64url.decode(token.split(".")[1].encode()))
    return members


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path, settings={"revocation_feed": ["heartbeat = 0.5"]})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_revoked_token_is_refused_as_soon_as_the_feed_has_told(tmp_path: Path, workers: int) -> None:
    served = Served(tmp_path, workers=workers)
    with served.run(), following(served) as guard:
        first, second = served.token(), served.token()
        assert [told(guard, first), told(guard, second)] == [CLIENT_ID] * 2
        revoke(served, first)
        until(lambda: told(guard, first) == "token revoked")
        assert told(guard, second) == CLIENT_ID
        assert status(guard).following


def test_each_command_that_revokes_reaches_the_guard(served: Served) -> None:
    with served.run(), following(served) as guard:
        token = served.token()
        assert told(guard, token) == CLIENT_ID
        served.ostiary("revoke", "--key", str(claims(token)["client_key"]))
        until(lambda: told(guard, token) == "token revoked")


def test_a_restart_and_a_kill_are_followed_through(served: Served) -> None:
    with served.run() as process, following(served) as guard:
        before = served.token()
        assert told(guard, before) == CLIENT_ID
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds=30) == 0
        assert told(guard, before) == CLIENT_ID  # within max_staleness
        with served.run() as again:
            until(lambda: status(guard).following)
            revoke(served, before)
            until(lambda: told(guard, before) == "token revoked")
            again.send_signal(signal.SIGKILL)
            again.wait(seconds=30)
        with served.run():
            until(lambda: status(guard).following)
            token = served.token()
            revoke(served, token)
            until(lambda: told(guard, token) == "token revoked")
            assert status(guard).reconnects > 0


def test_a_new_signing_key_carries_on_in_mid_stream(tmp_path: Path) -> None:
    served = Served(tmp_path, settings={"keys": ["publish_before = 1", "jwks_max_age = 1"]})
    with served.run(), following(served) as guard:
        token = served.token()
        assert told(guard, token) == CLIENT_ID
        until(lambda: "switched" in served.ostiary("keys", "rotate"))
        fresh = served.token()
        assert fresh.split(".")[0] != token.split(".")[0]
        revoke(served, fresh)
        until(lambda: told(guard, fresh) == "token revoked")
        assert told(guard, token) == CLIENT_ID


def test_what_the_guard_has_applied_is_known_to_the_server(served: Served) -> None:
    with served.run(), following(served) as guard:
        token = served.token()
        assert told(guard, token) == CLIENT_ID
        revoke(served, token)
        until(lambda: status(guard).position == 1)
        answer = json.loads(served.ostiary("revoke", "--client", CLIENT_ID, "--wait", "30", "--format", "json"))
        assert [api["knows"] for api in answer["apis"] if api["identifier"] == ORDERS] == ["yes"]
