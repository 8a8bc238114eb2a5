"""One node: ``ostiary serve`` with settings of its own, that reaches the database through a network that can fail."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.real.served import Served, descendants
from tests.real_parts.processes import Process
from tests.real_parts.tcp_proxy import TcpProxy

_SHIFTED = """import time
_real = time.time
time.time = lambda: _real() + {seconds}
"""


@dataclass(slots=True)
class Node:
    """served: its folder, ports and settings; database: what its connections to the database pass."""

    name: str
    served: Served
    database: TcpProxy
    process: Process | None = None
    _paused: list[int] = field(default_factory=list)

    def start(self, *, clock_off: float = 0.0, wait: bool = True) -> None:
        """Start it; clock_off: seconds that its clock of the wall is ahead of everybody else's."""
        self.process = self.served.start(self._shifted(clock_off) if clock_off else None)
        if wait:
            self.served.wait_until_ready(self.process, seconds=60.0)

    def kill(self) -> None:
        """As ``kill -9`` of the node with all its processes."""
        self.resume()
        if self.process is not None:
            self.process.kill_group()

    def pause(self) -> None:
        """Stop every process of the node where it stands; its connections stay open."""
        if self.process is not None and not self._paused:
            self._paused = [self.process.pid, *descendants(self.process.pid)]
            self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, as if nothing had been."""
        self._signal(signal.SIGCONT)
        self._paused = []

    def is_ready(self) -> bool:
        """Whether it says that it can serve."""
        try:
            return httpx2.get(f"{self.served.management}/readyz", timeout=5.0, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    def stop(self) -> None:
        """End it in order."""
        self.resume()
        if self.process is not None:
            self.process.stop()

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._paused:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _shifted(self, seconds: float) -> Mapping[str, str]:
        # Python runs sitecustomize before everything else, so each module that takes its clock from time gets this one.
        folder = self.served.folder / "clock"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(_SHIFTED.format(seconds=seconds))
        return {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))}


def beside(first: Served, folder: Path, *, database: str, ports: tuple[int, int], before: str) -> Served:
    """Another node of the installation of ``first``: the same keys and settings, with ports and a way of its own.

    database: its URL; before: that of ``first``.
    """
    shutil.copytree(first.folder, folder)
    port, management_port = ports
    text = first.config.read_text().replace(before, database)
    text = text.replace(f"\nport = {first.port}\n", f"\nport = {port}\n")
    (folder / "ostiary.toml").write_text(text.replace(f"port = {first.management_port}", f"port = {management_port}"))
    return first.beside(folder, port, management_port)
