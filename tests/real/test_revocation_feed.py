"""The revocation feed of real servers: live, in order, by any worker or node, through nginx, and through every end."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psycopg
import pytest

from ostiary.protocol import base64url
from ostiary.protocol.revocation_feed import Known
from ostiary.revocation.act import Act
from ostiary.storage.open import storage_for
from tests.real.feed_reader import FeedReader, feed_reader
from tests.real.served import ORDERS, Served, descendants, wait_until_gone
from tests.real_parts.ports import free_port
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.processes import Process
from tests.real_parts.system_packages import system_program

pytestmark = pytest.mark.real

QUIET = ["heartbeat = 10"]


def revoked(served: Served) -> str:
    """The jti of a token that the server has issued and its client has revoked."""
    token = served.token()
    form = {name: value for name, value in served.form().items() if name.startswith("client_")}
    assert served.ask("/revoke", form | {"token": token}).status_code == 200
    return str(json.loads(base64url.decode(token.split(".")[1].encode()))["jti"])


def written(url: str, *values: str) -> None:
    """Rows of one act, written beside the server as a command does."""

    async def write() -> None:
        storage = storage_for(url)
        await storage.open()
        try:
            async with storage.write() as work:
                for value in values:
                    await work.revocations.append(Act("cli", time.time()).row("jti", value))
        finally:
            await storage.close()

    asyncio.run(write())


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path, settings={"revocation_feed": QUIET})


def test_a_revocation_reaches_a_reader_that_follows(served: Served) -> None:
    with served.run():
        before = revoked(served)
        with feed_reader(served) as reader:
            first = reader.next()
            assert [row.value for row in first.rows] == [before]
            jti = revoked(served)
            assert [row.value for row in reader.until(2)[-1].rows] == [jti]
            assert reader.headers["content-type"] == "text/event-stream"
            assert "content-length" not in reader.headers
            assert reader.applied(2) == 204
            assert reader.applied(3) == 400
        with feed_reader(served, Known(reader.known.installation, 2), after="2") as again:
            assert again.next().rows == ()
            assert reader.secret != again.secret


def test_a_reader_that_was_away_gets_what_it_missed_and_no_more(served: Served) -> None:
    with served.run():
        with feed_reader(served) as reader:
            reader.next()
        missed = [revoked(served), revoked(served)]
        known = Known(reader.known.installation, 0)
        with feed_reader(served, known, after="0", installation=known.installation) as again:
            assert [row.value for row in again.next().rows] == missed


def test_heartbeats_come_by_themselves(tmp_path: Path) -> None:
    served = Served(tmp_path, settings={"revocation_feed": ["heartbeat = 0.05"]})
    with served.run(), feed_reader(served) as reader:
        moments = [reader.next().at for _ in range(5)]
        assert moments == sorted(set(moments))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_ends_every_stream_and_waits_for_none(tmp_path: Path, workers: int) -> None:
    served = Served(tmp_path, workers=workers, settings={"revocation_feed": QUIET})
    with served.run() as process, ExitStack() as opened:
        readers = [opened.enter_context(feed_reader(served)) for _ in range(6)]
        for reader in readers:
            reader.next()
        below = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        for reader in readers:
            reader.until_it_ends()
        assert process.wait(seconds=30) == 0, process.output
        assert wait_until_gone(below) == []
    assert [reader.complete for reader in readers] == [True] * 6
    assert "graceful shutdown exceeded" not in process.output
    assert "Traceback" not in process.output


def test_a_killed_server_leaves_its_readers_to_another_start(served: Served) -> None:
    with served.run() as process, feed_reader(served) as reader:
        reader.next()
        process.send_signal(signal.SIGKILL)
        reader.until_it_ends()
        assert not reader.complete
    with served.run():
        jti = revoked(served)
        with feed_reader(served, Known(reader.known.installation, 0)) as again:
            assert [row.value for row in again.next().rows] == [jti]
            assert again.known.node != reader.known.node


def test_a_disabled_api_follows_no_longer(tmp_path: Path) -> None:
    served = Served(tmp_path, settings={"revocation_feed": ["heartbeat = 0.05"]})
    with served.run():
        with feed_reader(served) as reader:
            reader.next()
            served.ostiary("api", "disable", ORDERS)
            reader.until_it_ends()
            assert reader.complete
        with feed_reader(served) as again:
            again.until_it_ends()
            assert (again.status, again.error) == (403, "unauthorized_client")


def test_a_position_of_another_past_is_told_apart(served: Served) -> None:
    with served.run() as process:
        for after, installation in (("7", ""), ("0", "000000")):
            with feed_reader(served, after=after, installation=installation) as reader:
                reader.until_it_ends()
                assert (reader.status, reader.error) == (409, "unknown_position")
        assert "ostiary admin new-epoch" in process.output


def test_a_reader_that_reads_nothing_is_cut_off_and_hinders_nobody(served: Served) -> None:
    with served.run(), feed_reader(served) as reader, FrozenReader(served) as frozen:
        reader.next()
        long, written_rows = "x" * 1000, 0
        while not frozen.is_cut_off():
            written(f"sqlite:///{served.database}", *(f"{long}{number}" for number in range(1000)))
            written_rows += 1000
            reader.until(written_rows)
            assert written_rows < 200_000
        assert revoked(served)
        assert reader.until(written_rows + 1)


class FrozenReader:
    """A reader that has asked and never reads what comes."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def __enter__(self) -> FrozenReader:
        self._socket = socket.create_connection(("localhost", self._served.port), timeout=30)
        form = httpx2.Request("POST", "http://x/", data=self._form()).read()
        head = (
            f"POST /revocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(form)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        self._socket.sendall(head.encode() + form)
        assert self._socket.recv(15) == b"HTTP/1.1 200 OK"
        return self

    def _form(self) -> dict[str, str]:
        form = self._served.form(self._served.api_assertion())
        return {name: value for name, value in form.items() if name.startswith("client_")} | {"nonce": "n" * 16}

    def is_cut_off(self) -> bool:
        shown = httpx2.get(f"{self._served.management}/metrics", trust_env=False).text
        return 'ostiary_feed_streams_ended_total{why="slow"} 1.0' in shown

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def test_the_metrics_say_how_the_readers_stand(served: Served) -> None:
    with served.run(), feed_reader(served) as reader:
        reader.next()
        revoked(served)
        reader.until(1)
        shown: list[str] = []
        deadline = time.monotonic() + 30
        while 'ostiary_feed_rows_behind{reader="slowest"} 1.0' not in shown and time.monotonic() < deadline:
            shown = httpx2.get(f"{served.management}/metrics", trust_env=False).text.splitlines()
        assert "ostiary_feed_readers 1.0" in shown
        assert "ostiary_revocation_position 1.0" in shown
        assert any(line.startswith('ostiary_feed_seen_seconds{reader="oldest"}') for line in shown)


# -- several processes ------------------------------------------------------------------------------------------------


def test_every_worker_streams_what_any_worker_has_committed(tmp_path: Path) -> None:
    served = Served(tmp_path, workers=2, settings={"revocation_feed": QUIET})
    with served.run(), ExitStack() as opened:
        readers: list[FeedReader] = []
        while len({reader.known.node for reader in readers}) < 2:
            assert len(readers) < 60
            readers.append(opened.enter_context(feed_reader(served)))
            readers[-1].next()
        _all_follow(readers, [served] * 4)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database."""
    url = postgres_server.fresh_database()
    yield url
    postgres_server.drop_database(url)


def test_every_node_streams_what_any_node_has_committed(tmp_path: Path, database: str) -> None:
    (tmp_path / "first").mkdir()
    first = Served(tmp_path / "first", settings={"storage": [f'url = "{database}"'], "revocation_feed": QUIET})
    second = _beside(first, tmp_path / "second")
    with first.run(), second.run(), feed_reader(first) as one, feed_reader(second) as other:
        assert one.next().node != other.next().node
        _all_follow([one, other], [first, second, first, second])


def _all_follow(readers: list[FeedReader], servers: list[Served]) -> None:
    """What is committed by several at once comes to each reader in one order, without gap or repetition."""
    threads = [threading.Thread(target=lambda at=at: [revoked(at) for _ in range(10)]) for at in servers]
    for thread in threads:
        thread.start()
    for reader in readers:
        reader.until(10 * len(servers))
        assert reader.fault is None
        assert reader.seen == list(range(1, 10 * len(servers) + 1))
    for thread in threads:
        thread.join()


def _beside(first: Served, folder: Path) -> Served:
    shutil.copytree(first.folder, folder)
    port, management_port = free_port(), free_port()
    text = first.config.read_text().replace(f"\nport = {first.port}\n", f"\nport = {port}\n")
    (folder / "ostiary.toml").write_text(text.replace(f"port = {first.management_port}", f"port = {management_port}"))
    return first.beside(folder, port, management_port)


def test_a_node_whose_database_is_gone_says_nothing_and_catches_up_when_it_is_back(
    tmp_path: Path, database: str
) -> None:
    (tmp_path / "first").mkdir()
    settings = {"storage": [f'url = "{database}"'], "revocation_feed": ["heartbeat = 0.2"]}
    served = Served(tmp_path / "first", settings=settings)
    with served.run(), feed_reader(served) as reader:
        reader.next()
        revoked(served)
        reader.until(1)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        written(database, "t-2")
        assert [row.value for row in reader.until(2)[-1].rows] == ["t-2"]
        moment = reader.next().at
        assert reader.next().at > moment


# -- through a proxy --------------------------------------------------------------------------------------------------

NGINX = """
events {{ }}
pid nginx.pid;
error_log stderr;
http {{
  access_log off;
  client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
  server {{
    listen {port};
    location / {{ proxy_pass http://localhost:{upstream}; {more} }}
  }}
}}
"""


@pytest.mark.parametrize("more", ["", "proxy_http_version 1.1; proxy_set_header Connection '';"])
def test_nginx_holds_nothing_back(served: Served, tmp_path: Path, more: str) -> None:
    """As it is set up by default, and as it should be."""
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.format(port=port, upstream=served.port, more=more))
    nginx = [system_program("nginx"), "-p", ".", "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
    with served.run(), Process(nginx, cwd=tmp_path) as proxy:
        proxy.wait_for_port(port)
        with feed_reader(served, url=f"http://localhost:{port}") as reader:
            reader.next()
            jti = revoked(served)
            assert [row.value for row in reader.until(1)[-1].rows] == [jti]
