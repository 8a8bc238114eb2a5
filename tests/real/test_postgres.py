"""``ostiary serve`` on PostgreSQL: the main job, beside a second process on the same database, and after kill -9."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from ostiary.protocol import client_assertion, jws, token_format
from ostiary.protocol.client_assertion import ASSERTION_TYPE
from ostiary.protocol.credential import Credential
from tests.real.loading import Callers
from tests.real.served import CLIENT_ID, ORDERS, STOCK, Served, descendants, wait_until_gone
from tests.real_parts.ports import free_port
from tests.real_parts.postgres import PostgresServer

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    """A server that waits for the disk at each commit."""
    with PostgresServer(fsync=True) as server:
        yield server


@pytest.fixture
def database(durable: PostgresServer) -> Iterator[str]:
    """An empty database."""
    url = durable.fresh_database()
    yield url
    durable.drop_database(url)


@pytest.fixture
def first(tmp_path: Path, database: str) -> Served:
    """An installation on the empty database."""
    (tmp_path / "first").mkdir()
    settings = {"storage": [f'url = "{database}"'], "keys": ["publish_before = 1", "jwks_max_age = 1"]}
    return Served(tmp_path / "first", settings=settings)


@pytest.fixture
def second(first: Served, tmp_path: Path) -> Served:
    """Another machine of the same installation: its settings, keys and database, with ports of its own."""
    folder = shutil.copytree(first.folder, tmp_path / "second")
    port, management_port = free_port(), free_port()
    text = first.config.read_text().replace(f"\nport = {first.port}\n", f"\nport = {port}\n")
    (folder / "ostiary.toml").write_text(text.replace(f"port = {first.management_port}", f"port = {management_port}"))
    return first.beside(folder, port, management_port)


def post(served: Served, path: str, assertion: str, **form: str) -> httpx2.Response:
    return served.ask(path, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, **form})


def proof(served: Served, file: str) -> str:
    """A client assertion by the credential in ``file``."""
    credential = Credential.parse((served.folder / file).read_bytes())
    now, jti = time.time(), secrets.token_urlsafe(16)
    payload = client_assertion.build(credential.client_id, served.issuer, now=now, jti=jti)
    return jws.sign(payload, credential.key, typ=client_assertion.TYP)


def active(served: Served, token: str) -> object:
    with served.http() as http:
        return served.introspect(http, token)["active"]


def kids(served: Served) -> set[str]:
    with served.http() as http:
        return {key["kid"] for key in http.get("/jwks").json()["keys"]}


def command(served: Served, *arguments: str) -> Any:
    """A command of the operator on the installation; its result."""
    return json.loads(served.ostiary(*arguments, "--config", str(served.config), "--format", "json"))


@contextmanager
def both(*nodes: Served) -> Iterator[None]:
    """Several processes, started at the same moment."""
    with ExitStack() as stack:
        processes = [stack.enter_context(served.start()) for served in nodes]
        for served, process in zip(nodes, processes, strict=True):
            served.wait_until_ready(process, seconds=60)
        yield


def verified(served: Served) -> None:
    """Every row of the audit log is sealed in time, and the whole log verifies."""
    deadline = time.monotonic() + 15
    report = served.ostiary("audit", "verify")
    while "not sealed yet" in report and time.monotonic() < deadline:
        time.sleep(0.2)
        report = served.ostiary("audit", "verify")
    assert re.search(r"✓ \d+ rows", report), report


def test_the_main_job_is_done_on_an_empty_database(first: Served) -> None:
    with first.run():
        token, reference = first.token(), first.token(resource=STOCK)
        assert jws.parse(token).header.kid in kids(first)
        assert token_format.looks_like(reference)
        assert active(first, token) is True
        assert post(first, "/revoke", first.assertion(), token=token).status_code == 200
        assert active(first, token) is False
        used = first.assertion()
        assert post(first, "/token", used, grant_type="client_credentials", resource=ORDERS).status_code == 200
        refused = post(first, "/token", used, grant_type="client_credentials", resource=ORDERS)
        assert refused.status_code == 401
        assert "✗ jti" in first.ostiary("explain", refused.json()["trace"])
        verified(first)


def test_reference_tokens_are_introspected_and_ended_by_the_operator(first: Served) -> None:
    command(first, "api", "create", "https://bills.example.com", "--tokens", "reference", "--generate", "bills.json")
    command(first, "api", "change", "https://bills.example.com", "--scope", "a")
    command(first, "client", "create", "payer", "--grant", "https://bills.example.com=a", "--generate", "payer.json")
    with first.run():
        answer = post(first, "/token", proof(first, "payer.json"), grant_type="client_credentials")
        token = answer.json()["access_token"]
        assert token_format.looks_like(token)
        assert post(first, "/introspect", proof(first, "bills.json"), token=token).json()["active"] is True
        [row] = command(first, "token", "list", "--client", "payer")
        command(first, "token", "revoke", "--jti", row["jti"])
        assert post(first, "/introspect", proof(first, "bills.json"), token=token).json() == {"active": False}


def test_keys_rotate_without_refusing_a_valid_token(first: Served) -> None:
    with first.run():
        old = first.token()
        time.sleep(1.1)  # until every reader of the JWKS knows the next key
        [turned] = command(first, "keys", "rotate")
        new = first.token()
        assert (turned["outcome"], jws.parse(new).header.kid) == ("switched", turned["new_kid"])
        assert {jws.parse(one).header.kid for one in (old, new)} <= kids(first)
        assert [active(first, one) for one in (old, new)] == [True, True]
        command(first, "keys", "rotate", "--compromised", "--kid", turned["old_kid"], "--yes")
        assert [active(first, one) for one in (old, new)] == [False, True]


def test_processes_that_start_together_make_one_installation(first: Served, second: Served) -> None:
    """On the empty database both migrate, register what the file says and make keys, and neither twice."""
    with both(first, second):
        assert kids(first) == kids(second)
        assert len(kids(first)) == 2  # the active one and the next
        assert active(second, first.token()) is True
        assert active(first, second.token()) is True
        assert [row["client_id"] for row in command(first, "client", "list")] == ["api_orders", CLIENT_ID]


def test_a_change_binds_the_next_request_of_every_process(first: Served, second: Served) -> None:
    with both(first, second):
        tokens = [first.token(), second.token()]
        assert post(second, "/revoke", second.assertion(), token=tokens[0]).status_code == 200
        assert [active(first, token) for token in tokens] == [False, True]
        command(first, "client", "disable", CLIENT_ID)
        for served in (first, second):
            assert active(served, tokens[1]) is False
            assert served.ask("/token", served.form()).status_code == 401
        command(first, "client", "enable", CLIENT_ID)
        assert [served.ask("/token", served.form()).status_code for served in (first, second)] == [200, 200]
        command(first, "api", "disable", ORDERS)
        assert [served.ask("/token", served.form()).status_code for served in (first, second)] == [400, 400]


def test_an_assertion_is_good_at_one_process_alone(first: Served, second: Served) -> None:
    """standards 6, attack 19"""
    with both(first, second):
        for one, other in ((first, second), (second, first)):
            form = one.form()
            assert one.ask("/token", form).status_code == 200
            assert other.ask("/token", form).status_code == 401


@pytest.mark.parametrize("seconds_of_load", [0.13, 0.71])
def test_what_was_answered_survives_kill_9(first: Served, database: str, seconds_of_load: float) -> None:
    callers = Callers(first)
    with first.run() as process:
        callers.start()
        callers.wait_for(30)
        time.sleep(seconds_of_load)
        below = descendants(process.pid)
        for pid in (process.pid, *below):
            os.kill(pid, signal.SIGKILL)
        assert wait_until_gone(below) == []
    callers.end()
    _one_token_and_one_event_for_each_assertion(database, len(callers.answered), callers.count)
    with first.run(), first.http() as http:
        for one in callers.answered:
            assert first.introspect(http, one.token)["active"] is True
            assert http.post("/token", data=first.form(one.assertion)).status_code == 401
        verified(first)


def _one_token_and_one_event_for_each_assertion(database: str, answered: int, in_flight: int) -> None:
    """What was cut off is there as a whole or not at all; nothing is there that was not asked for."""
    with psycopg.connect(database, autocommit=True) as connection:
        # What the dead process had sent is carried out or undone by the database in its own time.
        while connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        ).fetchone():
            time.sleep(0.02)
        tokens, marks, events = (
            int((connection.execute(f"SELECT count(*) FROM {rows}").fetchone() or (0,))[0])  # noqa: S608 - these three
            for rows in ("access_tokens", "replay_marks", "audit_events WHERE tag = 'token:issued'")
        )
    assert tokens == marks == events
    assert answered <= tokens <= answered + in_flight


def test_without_the_database_nothing_is_admitted_and_with_it_again_all_is_well(tmp_path: Path) -> None:
    with PostgresServer(fsync=True) as server:
        served = Served(tmp_path, settings={"storage": [f'url = "{server.fresh_database()}"']})
        with served.run():
            token = served.token()
            server.crash()
            refused = served.ask("/token", served.form())
            assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
            server.start()
            assert active(served, token) is True
            served.token()
