"""One thread a process follows the feed: under threads, beside a blocked event loop, after a fork, at the end."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ostiary.resource_server import Refused, ResourceServer
from ostiary.resource_server.asgi import AsgiGuard
from ostiary.resource_server.wsgi import WsgiGuard
from ostiary.secret_files import write_secret_file
from tests.resource_server.serving import get, served_asgi, served_by_werkzeug
from tests.resource_server.waiting import until
from tests.resource_server.world import AUDIENCE, World, bearer, failed_check


def position_of(guard: ResourceServer) -> int:
    return next(iter(guard.revocation_status().values())).position


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ostiary-revocations"]


def test_threads_that_come_at_once_start_one_follower_and_all_wait_for_it(world: World) -> None:
    world.issuer.feed.revoke("jti", "jti-1")
    guard = world.following()
    together = threading.Barrier(16)

    def ask(_: int) -> bool:
        together.wait(10)
        try:
            guard.check_sync(bearer(world.token()))
        except Refused as refused:
            return refused.status == 401
        return False

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(16))) == [True] * 16
    assert len(followers()) == 1
    assert len(world.issuer.feed.questions) == 1


def test_a_wsgi_application_under_threads_refuses_at_the_next_request(world: World) -> None:
    def app(environ: object, start_response: object) -> list[bytes]:
        start_response("200 OK", [])  # type: ignore[operator]
        return [b"ok"]

    guard = world.following()
    with served_by_werkzeug(WsgiGuard(app, guard)) as url, ThreadPoolExecutor(8) as pool:
        token = world.token()
        assert {answer.status_code for answer in pool.map(lambda _: get(url, token), range(16))} == {200}
        world.issuer.feed.revoke("client", "orders-client", life=600)
        world.issuer.feed.position += 8  # above the token's rev
        world.issuer.feed.cut()
        world.issuer.feed.revoke("client", "orders-client")
        until(lambda: position_of(guard) == world.issuer.feed.position)
        assert {answer.status_code for answer in pool.map(lambda _: get(url, token), range(16))} == {401}


def test_an_event_loop_that_is_blocked_does_not_hold_the_feed_up(world: World) -> None:
    blocked, go_on = threading.Event(), threading.Event()

    async def block(_: Request) -> PlainTextResponse:
        blocked.set()
        go_on.wait(30)  # as a defect in an application does: the whole loop stands still
        return PlainTextResponse("ok")

    async def orders(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    guard = world.following()
    app = AsgiGuard(
        Starlette(routes=[Route("/block", block), Route("/orders", orders)], lifespan=guard.lifespan),
        guard,
        public=["/block"],
    )
    with served_asgi(app) as url, ThreadPoolExecutor(1) as pool:
        assert get(f"{url}/orders", world.token()).status_code == 200
        blocking = pool.submit(get, f"{url}/block")
        blocked.wait(30)
        world.issuer.feed.revoke("jti", "jti-1")
        until(lambda: position_of(guard) == 1)
        go_on.set()
        assert blocking.result(30).status_code == 200
        assert get(f"{url}/orders", world.token()).status_code == 401
    assert followers() == []


def test_an_application_follows_before_its_first_request(world: World) -> None:
    guard = world.following()

    async def live() -> None:
        async with guard.lifespan():
            await asyncio.to_thread(until, lambda: guard.revocation_status()[world.issuer.issuer].following)

    asyncio.run(live())
    assert followers() == []


def _in_the_child(guard: ResourceServer, world: World, told: multiprocessing.connection.Connection) -> None:
    for _ in range(2):
        told.recv()
        try:
            told.send(guard.check_sync(bearer(world.token())).client_id)
        except Refused as refused:
            told.send(f"{refused.status} {refused.description}")
    told.send(position_of(guard))


def test_a_forked_child_follows_by_itself_and_its_parent_goes_on(world: World) -> None:
    feed = world.issuer.feed
    feed.revoke("jti", "other")
    guard = world.following()
    assert guard.check_sync(bearer(world.token()))
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_in_the_child, args=(guard, world, there))
    child.start()
    here.send("now")
    assert here.recv() == "orders-client"
    assert len(feed.questions) == 2
    assert feed.questions[1]["after"] == "1"  # the child begins where its parent stood
    feed.revoke("jti", "jti-1")
    until(lambda: sorted(feed.acknowledged.values()) == [2, 2])
    here.send("again")
    assert here.recv() == "401 token revoked"
    assert here.recv() == 2
    child.join(30)
    assert child.exitcode == 0
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"
    feed.revoke("jti", "more")
    until(lambda: position_of(guard) == 3)


SCRIPT = """
import sys
from ostiary.resource_server import ApiRequest, Refused, ResourceServer
guard = ResourceServer(sys.argv[1], sys.argv[2], sys.argv[3], revocation="feed", traces=[], environment={})
for line in sys.stdin:
    try:
        request = ApiRequest("GET", "/orders", headers=[(b"authorization", b"Bearer " + line.strip().encode())])
        print(guard.check_sync(request).client_id, flush=True)
    except Refused as refused:
        print(refused.description, flush=True)
"""


def test_several_processes_refuse_and_end_without_a_word(world: World, tmp_path: Path) -> None:
    write_secret_file(tmp_path / "api.json", world.issuer.credential().to_json())
    command = [sys.executable, "-c", SCRIPT, world.issuer.issuer, AUDIENCE, str(tmp_path / "api.json")]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=dict(os.environ))
        for _ in range(3)
    ]
    token = world.token() + "\n"
    for process in processes:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("no pipes")
        process.stdin.write(token)
        process.stdin.flush()
        assert process.stdout.readline() == "orders-client\n"
    world.issuer.feed.revoke("jti", "jti-1")
    until(lambda: list(world.issuer.feed.acknowledged.values()) == [1, 1, 1])
    for process in processes:
        told, errors = process.communicate(token, timeout=30)
        assert (told, errors, process.returncode) == ("token revoked\n", "", 0)
