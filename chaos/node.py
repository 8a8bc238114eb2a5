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

# Python runs sitecustomize before everything else, so each module that takes its clock from time gets this one.
_SHIFTED = """import time
_real, _steady, _known = time.time, time.monotonic, [0.0, 0.0]
def _shifted():
    if _steady() > _known[0]:
        _known[:] = _steady() + 0.1, float(open({file!r}).read() or 0)
    return _real() + _known[1]
time.time = _shifted
"""


@dataclass(slots=True)
class Node:
    """served: its folder, ports and settings; database: what its connections to the database pass."""

    name: str
    served: Served
    database: TcpProxy
    process: Process | None = None
    _paused: list[int] = field(default_factory=list)

    def start(self, *, wait: bool = True) -> None:
        """Start it, its clock right; wait: until it is ready."""
        self.set_clock(0.0)
        self.process = self.served.start(self.environment())
        if wait:
            self.served.wait_until_ready(self.process, seconds=60.0)

    def set_clock(self, ahead: float) -> None:
        """Set its clock of the wall so many seconds ahead of everybody else's."""
        folder = self.served.folder / "clock"
        folder.mkdir(exist_ok=True)
        (folder / "next").write_text(str(ahead))
        (folder / "next").replace(folder / "ahead")

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

    def environment(self) -> Mapping[str, str]:
        """What makes its processes take the time from the clock that was set."""
        folder = self.served.folder / "clock"
        (folder / "sitecustomize.py").write_text(_SHIFTED.format(file=str(folder / "ahead")))
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
