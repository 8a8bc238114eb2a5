"""Several processes on the same sockets: starts them, restarts one that dies, passes a stop on and waits.

Two pipes tie a worker to its supervisor. Down the *lifeline* nothing is ever written: when the supervisor is gone, by
whatever death, its end closes, and the worker stops in order. Up the *ready pipe* the worker writes one byte when it
serves. A worker that dies before that is broken, not unlucky: at the first start this ends everything, later it is
tried again after pauses that double.
"""

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

FIRST_PAUSE = 0.5  # seconds before a worker that died is started again; doubled as long as it never gets ready
LONGEST_PAUSE = 30.0
STOP_SECONDS = 20.0  # after this a worker that has not stopped is killed
POLL_SECONDS = 0.05

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Worker:
    """One place of the crew and the process that fills it at present."""

    arguments: list[str]
    descriptors: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    ready_pipe: int = -1
    ready: bool = False
    failures: int = 0
    start_at: float = 0.0

    def start(self, lifeline: int) -> None:
        self.ready_pipe, theirs = os.pipe()
        os.set_blocking(self.ready_pipe, False)
        self.ready = False
        command = [sys.executable, "-m", "ostiary.serving.worker", *self.arguments]
        command += ["--lifeline", str(lifeline), "--ready", str(theirs)]
        inherited = (*self.descriptors, lifeline, theirs)
        # A session of its own: Ctrl-C reaches the supervisor alone, which passes the stop on.
        self.process = subprocess.Popen(command, pass_fds=inherited, start_new_session=True)  # noqa: S603 - our own interpreter and module
        os.close(theirs)

    def has_ended(self) -> bool:
        """Whether its process ended, noticed once; the time of the next start is set then."""
        if self.process is None:
            return False
        self._look_for_ready()
        code = self.process.poll()
        if code is None:
            return False
        self.failures = 0 if self.ready else self.failures + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self.failures)
        _log.error("worker %s ended with %s; another starts in %.1f s", self.process.pid, code, pause)
        self.start_at = time.monotonic() + pause
        self.process = None
        os.close(self.ready_pipe)
        return True

    def hang_up(self) -> None:
        """Let it read its certificate again, if it has one."""
        if self.process is not None and self.ready and "api" in self.arguments:
            self.process.send_signal(signal.SIGHUP)

    def _look_for_ready(self) -> None:
        if self.ready:
            return
        try:
            self.ready = bool(os.read(self.ready_pipe, 1))
        except BlockingIOError:
            return


@dataclass(slots=True)
class Supervisor:
    """Runs ``python -m ostiary.serving.worker`` once per worker, with the listening sockets inherited.

    config: path of ``ostiary.toml``; api, mtls, management: bound sockets; workers: processes on the first two.
    One more process serves the management address and keeps house.
    passes_hangup_on: whether SIGHUP makes the API's workers read their certificate again; else it ends the server.
    """

    config: Path
    api: Sequence[socket.socket]
    mtls: Sequence[socket.socket]
    management: Sequence[socket.socket]
    workers: int
    passes_hangup_on: bool = False
    _hung_up: bool = False
    _stopping: bool = False
    _lifeline: int = -1
    _crew: list[_Worker] = field(default_factory=list)

    def run(self, on_ready: Callable[[], None] = lambda: None) -> int:
        """Block until SIGTERM or SIGINT; the exit code: 1 if a worker could not start at all or had to be killed."""
        with tempfile.TemporaryDirectory(prefix="ostiary-metrics-") as folder:
            os.environ[MULTIPROCESS_VARIABLE] = folder
            # Our end stays open until this process is gone; it is never inherited.
            self._lifeline, _ours = os.pipe()
            self._crew = [self._worker("api", self.api, self.mtls) for _ in range(self.workers)]
            self._crew.append(self._worker("management", self.management))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            if self.passes_hangup_on:
                signal.signal(signal.SIGHUP, self._hang_up)
            for worker in self._crew:
                worker.start(self._lifeline)
            started = self._wait_until_ready()
            if started:
                on_ready()
                self._watch()
            stopped = self._wait_for_all()
            return 0 if started and stopped else 1

    def _worker(self, role: str, sockets: Sequence[socket.socket], mtls: Sequence[socket.socket] = ()) -> _Worker:
        arguments = ["--role", role, "--config", str(self.config), "--descriptors", _numbers(sockets)]
        arguments += ["--mtls-descriptors", _numbers(mtls)] if mtls else []
        return _Worker(arguments, tuple(listener.fileno() for listener in (*sockets, *mtls)))

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _hang_up(self, *_: object) -> None:
        self._hung_up = True

    def _pass_hangup_on(self) -> None:
        """Only to those that serve: who is starting reads the files anyway, and the signal would end it."""
        if not self._hung_up:
            return
        self._hung_up = False
        for worker in self._crew:
            worker.hang_up()

    def _wait_until_ready(self) -> bool:
        """Whether the whole crew came up; a stop that is asked for meanwhile counts as that."""
        while not self._stopping and not all(worker.ready for worker in self._crew):
            if any(worker.has_ended() for worker in self._crew):
                _log.error("a worker could not start: what it printed says why; stopping")
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _watch(self) -> None:
        while not self._stopping:
            self._pass_hangup_on()
            for worker in self._crew:
                worker.has_ended()
                if worker.process is None and time.monotonic() >= worker.start_at:
                    worker.start(self._lifeline)
            time.sleep(POLL_SECONDS)

    def _wait_for_all(self) -> bool:
        """Stop everybody; whether nobody had to be killed."""
        for listener in (*self.api, *self.mtls, *self.management):
            listener.close()  # so that the address refuses as soon as the workers have left it
        running = [worker.process for worker in self._crew if worker.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        return all([_ended(process, deadline) for process in running])  # noqa: C419 - everybody is waited for


def _numbers(sockets: Sequence[socket.socket]) -> str:
    return ",".join(str(listener.fileno()) for listener in sockets)


def _ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _log.error("worker %s did not stop in %.0f s and is killed", process.pid, STOP_SECONDS)
        process.kill()
        process.wait()
        return False
    return True
