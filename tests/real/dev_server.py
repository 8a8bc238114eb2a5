"""``ostiary dev`` for the tests: on free ports, in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.served import wait_until_answered
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process


@dataclass(frozen=True, slots=True)
class Dev:
    """``ostiary dev`` on free ports; everything stands in ``folder``."""

    folder: Path
    issuer: str

    def ostiary(self, *arguments: str, given: str | None = None, code: int = 0) -> str:
        command = [sys.executable, "-m", "ostiary", *arguments]
        told = subprocess.run(
            command, input=given, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert told.returncode == code, f"{arguments}: {told.stdout}{told.stderr}"
        return told.stdout


@contextmanager
def running_dev(folder: Path) -> Iterator[Dev]:
    """The server, ready."""
    port, management_port = free_port(), free_port()
    ports = ["--port", str(port), "--management-port", str(management_port)]
    with Process([sys.executable, "-m", "ostiary", "dev", *ports], cwd=folder) as process:
        wait_until_answered(process, f"http://127.0.0.1:{management_port}/readyz")
        yield Dev(folder, f"http://localhost:{port}")
