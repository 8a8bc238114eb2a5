"""``ostiary login`` and ``ostiary curl --user`` with a real server, a real API and a real browser."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser

from ostiary.client import UserTokens
from tests.real.visitor import WAIT, allow, sign_in
from tests.real.with_users import WithUsers, running_with_users
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithUsers]:
    with running_with_users(tmp_path_factory.mktemp("dev")) as running:
        running.application("tool", "http://127.0.0.1/callback", "--public")
        yield running


def login(served: WithUsers, browser: Browser, *options: str) -> str:
    """Run ``ostiary login`` and be its user; what it printed."""
    command = [sys.executable, "-m", "ostiary", "login", "--no-browser", "--user", "user.json", *options]
    context = browser.new_context()
    with Process(command, cwd=served.dev.folder, environment={"NO_COLOR": "1"}) as process:
        line = process.wait_for_line("/authorize?", seconds=30)
        page = context.new_page()
        page.goto(line.strip())
        sign_in(page, served.user)
        allow(page)  # each time: another application could listen at a loopback address (RFC 8252 8.6)
        page.get_by_text("You can close this window.").wait_for(timeout=WAIT)
        assert process.wait(seconds=30) == 0, process.output
        context.close()
        return process.output


def test_a_user_signs_in_calls_an_api_refreshes_and_steps_up(served: WithUsers, browser: Browser) -> None:
    """standards 116: RFC 9470 from the API's challenge to the sign-in that satisfies it."""
    asked = ["--client", "tool", "--issuer", served.dev.issuer, "--resource", served.api, "--scope", "orders:read"]
    told = login(served, browser, *asked)
    assert "Next: ostiary curl --user user.json URL" in told
    file = served.dev.folder / "user.json"
    assert file.stat().st_mode & 0o777 == 0o600
    tokens = UserTokens.from_json(file.read_bytes())
    assert tokens.refresh_token is not None
    assert not any(secret in told for secret in (tokens.access.value, tokens.refresh_token, str(tokens.id_token)))

    called = served.dev.ostiary("curl", "--user", "user.json", f"{served.api}/orders")
    assert json.loads(called) == {"orders of": tokens.subject}

    members = json.loads(file.read_bytes())
    members["access"] |= {"obtained_at": 0.0, "expires_at": 1.0}
    file.write_text(json.dumps(members))
    served.dev.ostiary("curl", "--user", "user.json", f"{served.api}/orders")
    assert UserTokens.from_json(file.read_bytes()).refresh_token != tokens.refresh_token

    refused = wait_until_refused(served)
    assert "The API demands a sign-in of at most 10 seconds ago" in refused
    assert "Next: ostiary login --user user.json --max-age 10" in refused
    login(served, browser, "--max-age", "10")
    assert json.loads(served.dev.ostiary("curl", "--user", "user.json", f"{served.api}/fresh")) == {
        "fresh": tokens.subject
    }


def wait_until_refused(served: WithUsers) -> str:
    """Call what wants a fresh sign-in until the sign-in has grown old; what is said then."""
    deadline = time.monotonic() + 30
    command = [sys.executable, "-m", "ostiary", "curl", "--user", "user.json", f"{served.api}/fresh"]
    while time.monotonic() < deadline:
        with Process(command, cwd=served.dev.folder, environment={"NO_COLOR": "1"}) as process:
            if process.wait(seconds=30) == 1:
                return process.output
    raise AssertionError("the sign-in does not grow old")


def run(served: WithUsers, *arguments: str, code: int = 1) -> str:
    """Both streams of a command that fails."""
    with Process(
        [sys.executable, "-m", "ostiary", *arguments], cwd=served.dev.folder, environment={"NO_COLOR": "1"}
    ) as process:
        assert process.wait(seconds=30) == code, process.output
        return process.output


def test_a_strangers_request_to_the_loopback_port_ends_nothing_and_is_told_nothing(served: WithUsers) -> None:
    command = [
        sys.executable, "-m", "ostiary", "login", "--no-browser", "--user", "other.json", "--client", "tool",
        "--issuer", served.dev.issuer, "--timeout", "3",
    ]  # fmt: skip
    with Process(command, cwd=served.dev.folder, environment={"NO_COLOR": "1"}) as process:
        line = process.wait_for_line("/authorize?", seconds=30)
        found = re.search(r"127\.0\.0\.1%3A(\d+)", line)
        assert found is not None
        port = found[1]
        for target in ("/callback?code=c&state=s", "/callback?code=c", "/callback", "/", "/callback?state=a&state=b"):
            answer = httpx2.get(f"http://127.0.0.1:{port}{target}", trust_env=False)
            assert answer.status_code == 404
            assert answer.headers["cache-control"] == "no-store"
        assert process.wait(seconds=30) == 4, process.output
        assert "nobody came back" in process.output
    assert not (served.dev.folder / "other.json").exists()


def test_a_file_of_another_application_is_not_replaced(served: WithUsers, tmp_path: Path) -> None:
    access = {"value": "t", "obtained_at": 0.0, "expires_at": 1.0}
    kept = {"issuer": "https://auth.example.com", "client_id": "app", "scope": "openid", "access": access}
    file = tmp_path / "user.json"
    file.write_text(json.dumps(kept))
    file.chmod(0o600)
    told = run(served, "login", "--user", str(file), "--client", "tool", "--issuer", served.dev.issuer, code=3)
    assert "name another file by --user" in told
    assert json.loads(file.read_bytes()) == kept


def test_an_ended_permission_says_how_to_sign_in_again(served: WithUsers, tmp_path: Path) -> None:
    access = {"value": "t", "obtained_at": 0.0, "expires_at": 1.0}
    kept = {"issuer": served.dev.issuer, "client_id": "tool", "scope": "openid", "access": access}
    file = tmp_path / "user.json"
    file.write_text(json.dumps(kept | {"refresh_token": "ost_rt_unknown", "resource": served.api}))
    file.chmod(0o600)
    told = run(served, "curl", "--user", str(file), f"{served.api}/orders")
    assert "let the user sign in again" in told
    assert f"Next: ostiary login --user {file}" in told
    assert "ost_rt_unknown" not in told


def test_a_users_tokens_are_not_mixed_with_a_clients_options(served: WithUsers) -> None:
    told = run(served, "curl", "--user", "user.json", "--scope", "a", f"{served.api}/orders", code=3)
    assert "leave out --client-file, --direct, --resource, --scope" in told


def test_who_is_not_named_cannot_sign_in(served: WithUsers) -> None:
    assert "--client and the server by --issuer" in run(served, "login", "--user", "none.json", code=3)
