"""A real PgBouncer before a PostgreSQL server, thrown away after the test."""

import os
import shutil
import tempfile
from pathlib import Path

import trustme

from tests.real_parts.part import Part
from tests.real_parts.ports import free_port
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.processes import Process, unprivileged_user
from tests.real_parts.scratch import scratch
from tests.real_parts.system_packages import system_program

_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
ignore_startup_parameters = extra_float_digits
pool_mode = {mode}
default_pool_size = {size}
server_round_robin = {round_robin}
"""
_TLS = """
client_tls_sslmode = require
client_tls_key_file = {folder}/key.pem
client_tls_cert_file = {folder}/certificate.pem
"""


class PgBouncer(Part):
    """A pooler on a loopback port, ``localhost`` to its certificate.

    mode: its ``pool_mode``; size: connections that it keeps to a database; authority: of its certificate, to speak TLS.
    """

    def __init__(
        self,
        server: PostgresServer,
        mode: str,
        *,
        size: int = 20,
        round_robin: bool = False,
        authority: trustme.CA | None = None,
    ) -> None:
        """Start it before ``server``.

        Raises:
            MissingPart: PgBouncer is not installed.
            TimeoutError: it did not come up; shows what it printed.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir=scratch()))
        user, group = unprivileged_user()
        if user is not None and group is not None:
            os.chown(self._folder, user, group)
        self.port = free_port()
        (self._folder / "users").write_text('"postgres" ""\n')
        configuration = _CONFIGURATION.format(
            server=server.port,
            port=self.port,
            folder=self._folder,
            mode=mode,
            size=size,
            round_robin=int(round_robin),
        )
        if authority is not None:
            configuration += _TLS.format(folder=self._folder)
            certificate = authority.issue_cert("localhost")
            certificate.private_key_pem.write_to_path(self._folder / "key.pem")
            certificate.cert_chain_pems[0].write_to_path(self._folder / "certificate.pem")
        (self._folder / "pgbouncer.ini").write_text(configuration)
        command: list[str | Path] = [system_program("pgbouncer"), self._folder / "pgbouncer.ini"]
        self.process = Process(command, cwd=self._folder, unprivileged=True)
        try:
            self.process.wait_for_port(self.port)
        except TimeoutError:
            self.close()
            raise

    def before(self, url: str) -> str:
        """The address that leads to the database of ``url`` by way of the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{url.rpartition('/')[2]}"

    def close(self) -> None:
        """Stop it."""
        self.process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
