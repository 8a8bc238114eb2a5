"""Three nodes of ``ostiary serve`` on one PostgreSQL are one server, whichever of them is asked."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import httpx2
import psycopg
import pytest

from ostiary.protocol import jws
from ostiary.protocol.jwk import parse_public_key
from ostiary.storage.open import storage_for
from tests.authorization_server.applications import (
    add_application,
    add_user,
    authorize_url,
    code_for,
    code_form,
    refresh,
    sign_in,
)
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import Clock, World
from tests.real.served import CLIENT_ID, ORDERS, Served
from tests.real_parts.ports import free_port
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.postgres_standby import PostgresStandby

pytestmark = pytest.mark.real

AT_ONCE = 24
Nodes = tuple[Served, Served, Served]


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.fresh_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Nodes]:
    """Three nodes with folders and ports of their own, all serving."""
    root = tmp_path_factory.mktemp("nodes")
    (root / "first").mkdir()
    keys = ["publish_before = 1", "jwks_max_age = 1"]
    first = Served(root / "first", settings={"storage": [f'url = "{database}"'], "keys": keys})
    all_three = (first, _beside(first, root / "second"), _beside(first, root / "third"))
    with ExitStack() as stack:
        for one in all_three:
            stack.enter_context(one.run())
        yield all_three


def _beside(first: Served, folder: Path) -> Served:
    shutil.copytree(first.folder, folder)
    port, management_port = free_port(), free_port()
    text = first.config.read_text().replace(f"\nport = {first.port}\n", f"\nport = {port}\n")
    (folder / "ostiary.toml").write_text(text.replace(f"port = {first.management_port}", f"port = {management_port}"))
    return first.beside(folder, port, management_port)


@contextmanager
def _application(nodes: Nodes, database: str, folder: Path, name: str) -> Iterator[World]:
    """An application and a signed-in user of the installation, whose requests are decided in this process."""
    folder.mkdir()
    shutil.copy(nodes[0].folder / "kek", folder)
    shutil.copy(nodes[0].folder / "kek", folder / "ostiary.db")  # not used: the database is PostgreSQL
    world = World(folder, issuer=nodes[0].issuer, clock=Clock(time.time()), storage=storage_for(database))
    try:
        add_application(world, name, scopes={ORDERS: ("orders:read",)}, key=None)
        world.add_key(name, f"{name}-1", not_before=int(world.clock()) - 60)
        yield world
    finally:
        world.close()


def _all_at_once(nodes: Nodes, form: Callable[[], dict[str, str]]) -> list[httpx2.Response]:
    """The same request, sent to every node by many callers at the same moment."""
    barrier = threading.Barrier(AT_ONCE)

    def ask(node: Served) -> httpx2.Response:
        with node.http() as http:
            http.get("/jwks")  # the connection stands
            body = form()
            barrier.wait()
            return http.post("/token", data=body)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(ask, (node for node, _ in zip(cycle(nodes), range(AT_ONCE), strict=False))))


def test_an_assertion_shown_to_every_node_at_once_gets_one_token(nodes: Nodes) -> None:
    """standards 6, attack 19"""
    for _ in range(3):
        form = nodes[0].form()
        statuses = Counter(answer.status_code for answer in _all_at_once(nodes, lambda form=form: form))  # type: ignore[misc]
        assert statuses == {200: 1, 401: AT_ONCE - 1}


def test_a_code_redeemed_at_every_node_at_once_has_one_winner_and_what_it_got_is_ended(
    nodes: Nodes, database: str, tmp_path: Path
) -> None:
    """standards 69-78, attack 26: it is spent in the database, whatever a node knows."""
    with _application(nodes, database, tmp_path / "app", "coder") as world:
        browser = Browser(world)
        sign_in(browser, add_user(world, "ada"))
        code = code_for(browser, _url("coder"))
        # Each caller with an assertion of its own, so that only the code is the same.
        answers = _all_at_once(nodes, lambda: code_form(world, code, "coder"))
        assert Counter(answer.status_code for answer in answers) == {200: 1, 400: AT_ONCE - 1}
        [won] = [answer.json() for answer in answers if answer.status_code == 200]
        assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
        for node in nodes:
            with node.http() as http:
                assert node.introspect(http, won["access_token"])["active"] is False
            again = node.ask(
                "/token", world.form("coder", grant_type="refresh_token", refresh_token=won["refresh_token"])
            )
            assert again.status_code == 400


def test_a_refresh_at_every_node_at_once_has_one_successor_and_a_used_one_ends_the_family_everywhere(
    nodes: Nodes, database: str, tmp_path: Path
) -> None:
    """attack 28"""
    with _application(nodes, database, tmp_path / "app", "refresher") as world:
        browser = Browser(world)
        sign_in(browser, add_user(world, "grace"))
        first = nodes[0].ask("/token", code_form(world, code_for(browser, _url("refresher")), "refresher")).json()

        def form(token: str) -> dict[str, str]:
            return world.form("refresher", grant_type="refresh_token", refresh_token=token)

        answers = _all_at_once(nodes, lambda: form(first["refresh_token"]))
        assert {answer.status_code for answer in answers} == {200}
        [successor] = {answer.json()["refresh_token"] for answer in answers}
        assert nodes[1].ask("/token", form(successor)).status_code == 200
        # The successor was used, so its predecessor is a stolen one, at whatever node.
        assert nodes[2].ask("/token", form(first["refresh_token"])).status_code == 400
        assert [node.ask("/token", form(successor)).status_code for node in nodes] == [400, 400, 400]
        assert refresh(world, successor, "refresher").status == 400


def _url(client_id: str) -> str:
    return authorize_url(client_id, resource=ORDERS)


def test_keys_that_turn_on_one_node_never_refuse_what_another_has_signed(nodes: Nodes) -> None:
    """Tokens are signed at one node while keys turn at another, introspected at a third and verified by its JWKS."""
    faults: list[str] = []
    rounds = Counter[int]()
    stop = threading.Event()

    def follow(number: int) -> None:
        signs, tells = nodes[number], nodes[(number + 1) % 3]
        with signs.http() as one, tells.http() as other:
            while not stop.is_set():
                answer = one.post("/token", data=signs.form())
                if answer.status_code != 200:
                    faults.append(f"token: {answer.status_code} {answer.text}")
                    continue
                token = answer.json()["access_token"]
                parsed = jws.parse(token)
                keys = {key["kid"]: key for key in other.get("/jwks").json()["keys"]}
                if parsed.header.kid not in keys:
                    faults.append(f"the JWKS of the next node lacks {parsed.header.kid}")
                    continue
                jws.verify(parsed, parse_public_key(json.dumps(keys[parsed.header.kid])))
                if tells.introspect(other, token)["active"] is not True:
                    faults.append("inactive at the next node")
                rounds[number] += 1

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    turned = set()
    for node in (nodes[0], nodes[1], nodes[2], nodes[0]):
        time.sleep(1.1)  # until every reader of the JWKS knows the next key
        [done] = json.loads(node.ostiary("keys", "rotate", "--config", str(node.config), "--format", "json"))
        turned.add(done["new_kid"])
        before = rounds.copy()
        while any(rounds[number] <= before[number] + 2 for number in range(3)) and not faults:
            time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(turned) == 4


def test_what_one_node_ends_every_node_refuses_with_its_next_request(nodes: Nodes) -> None:
    for ending, other in zip(nodes, (*nodes[1:], nodes[0]), strict=True):
        token = other.token()
        form = {"client_assertion_type": ending.form()["client_assertion_type"], "client_assertion": ending.assertion()}
        assert ending.ask("/revoke", {**form, "token": token}).status_code == 200
        for node in nodes:
            with node.http() as http:
                assert node.introspect(http, token) == {"active": False}


def test_the_audit_log_of_all_nodes_is_one_chain_and_each_node_has_its_heads(nodes: Nodes, database: str) -> None:
    for node in nodes:
        node.token()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with psycopg.connect(database, autocommit=True) as connection:
            rows = connection.execute("SELECT count(*) FROM audit_events WHERE segment IS NULL").fetchone()
        heads = [node.folder.joinpath("heads.jsonl").read_bytes() for node in nodes]
        if rows == (0,) and len(set(heads)) == 1:
            break
        time.sleep(0.1)
    assert len(set(heads)) == 1
    for node in nodes:
        assert "✓" in node.ostiary("audit", "verify", "--config", str(node.config))
    assert [row["client_id"] for row in _clients(nodes[2])].count(CLIENT_ID) == 1


def _clients(node: Served) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = json.loads(
        node.ostiary("client", "list", "--config", str(node.config), "--format", "json")
    )
    return listed


def test_a_node_on_a_database_that_may_lose_its_end_says_so_at_its_start(tmp_path: Path) -> None:
    with PostgresServer(fsync=True) as primary:
        (tmp_path / "first").mkdir()
        served = Served(tmp_path / "first", settings={"storage": [f'url = "{primary.fresh_database()}"']})
        with served.run() as process:
            assert "Warning: PostgreSQL" not in process.output
        with PostgresStandby(primary, synchronous=False), served.run() as process:
            assert "Warning: PostgreSQL has an asynchronous standby (standby)" in process.output
