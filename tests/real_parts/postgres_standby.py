"""A standby of a real PostgreSQL server: it follows by streaming, and takes over when it is told to."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psycopg

from tests.real_parts.postgres import PostgresServer, postgres_program


class PostgresStandby(PostgresServer):
    """A copy of ``primary`` that follows it. synchronous: the primary waits for it at each commit."""

    _ready = "ready to accept read-only connections"

    def __init__(self, primary: PostgresServer, *, synchronous: bool) -> None:
        """Copy the primary and follow it.

        Raises:
            MissingPart: the wheel was not fetched.
            TimeoutError: the server did not come up or did not follow; shows what it printed.
        """
        self._primary = primary
        super().__init__(fsync=True)
        try:
            if synchronous:
                self._be_waited_for()
            self._wait_until_followed("sync" if synchronous else "async")
        except BaseException:
            self.close()
            raise

    def promote(self) -> None:
        """Take over: from now on this is a primary, whatever the old one does."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 30)")

    def _initialise(self, user: int | None, group: int | None) -> None:
        connection = f"host=127.0.0.1 port={self._primary.port} user=postgres application_name=standby"
        command: list[str | Path] = [postgres_program("pg_basebackup"), "-D", self._data, "-R"]
        subprocess.run(
            [*command, "-d", connection, "--no-sync", "--checkpoint=fast"],
            cwd=self._folder,
            check=True,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )

    def _be_waited_for(self) -> None:
        with psycopg.connect(self._primary.url(), autocommit=True) as connection:
            # ALTER SYSTEM takes no parameters, and no other statement beside it.
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            connection.execute("SELECT pg_reload_conf()")

    def _wait_until_followed(self, state: str) -> None:
        deadline = time.monotonic() + 30.0
        with psycopg.connect(self._primary.url(), autocommit=True) as connection:
            while True:
                rows = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
                if rows == [(state,)]:
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the standby does not follow: {rows}; it printed:\n{self.process.output}")
                time.sleep(0.05)
