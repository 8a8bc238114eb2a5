"""Several processes on the same sockets: starts them, restarts one that dies, passes a stop on and waits."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ostiary.serving.metrics import MULTIPROCESS_VARIABLE

MIN_LIFE = 1.0  # seconds; a worker that lives shorter is restarted only after this pause
STOP_SECONDS = 20.0  # after this a worker that has not stopped is killed
POLL_SECONDS = 0.05

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Worker:
    arguments: list[str]
    descriptors: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs ``python -m ostiary.serving.worker`` once per worker, with the listening sockets inherited.

    config: path of ``ostiary.toml``; api, management: bound sockets; workers: processes on the API sockets.
    One more process serves the management address and keeps house.
    """

    config: Path
    api: Sequence[socket.socket]
    management: Sequence[socket.socket]
    workers: int
    _stopping: bool = False
    _crew: list[_Worker] = field(default_factory=list)

    def run(self, on_ready: Callable[[], None] = lambda: None) -> int:
        """Block until SIGTERM or SIGINT; the exit code."""
        with tempfile.TemporaryDirectory(prefix="ostiary-metrics-") as folder:
            os.environ[MULTIPROCESS_VARIABLE] = folder
            self._crew = [self._worker("api", self.api) for _ in range(self.workers)]
            self._crew.append(self._worker("management", self.management))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            for worker in self._crew:
                _start(worker)
            on_ready()
            self._watch()
            return self._wait_for_all()

    def _worker(self, role: str, sockets: Sequence[socket.socket]) -> _Worker:
        descriptors = tuple(listener.fileno() for listener in sockets)
        numbers = ",".join(map(str, descriptors))
        return _Worker(["--role", role, "--config", str(self.config), "--descriptors", numbers], descriptors)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _watch(self) -> None:
        while not self._stopping:
            for worker in self._crew:
                if worker.process is None or worker.process.poll() is None:
                    continue
                lived = time.monotonic() - worker.started
                _log.error("a worker ended with %s after %.1f s; starting another", worker.process.returncode, lived)
                time.sleep(max(0.0, MIN_LIFE - lived))
                if not self._stopping:
                    _start(worker)
            time.sleep(POLL_SECONDS)

    def _wait_for_all(self) -> int:
        running = [worker.process for worker in self._crew if worker.process is not None]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        clean = True
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.error("worker %s did not stop in %.0f s and is killed", process.pid, STOP_SECONDS)
                process.kill()
                process.wait()
                clean = False
        return 0 if clean else 1


def _start(worker: _Worker) -> None:
    command = [sys.executable, "-m", "ostiary.serving.worker", *worker.arguments]
    worker.process = subprocess.Popen(command, pass_fds=worker.descriptors, start_new_session=True)  # noqa: S603 - our own interpreter and module
    worker.started = time.monotonic()
