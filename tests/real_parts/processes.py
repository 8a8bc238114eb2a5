"""Start a program for a test, wait until it is ready, collect what it prints, and end it with all its children."""

import os
import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real_parts.ports import wait_for_port


class Process:
    """A running program in a process group of its own; its output (both streams) is read all the time.

    Use it as a context manager: whatever happens in the test, the whole group is gone afterwards.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        unprivileged: bool = False,
    ) -> None:
        """Start ``command`` with the present environment plus ``environment``.

        Args:
            command: program and arguments; no shell is involved.
            cwd: the folder to run in; by default the present one.
            environment: variables to add or replace.
            unprivileged: when the tests run as root, run this program as ``nobody``.
        """
        self.name = Path(command[0]).name
        user, group = unprivileged_user() if unprivileged else (None, None)
        self._popen = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's id, which is also that of its group."""
        return self._popen.pid

    @property
    def output(self) -> str:
        """Everything that was printed so far."""
        with self._changed:
            return "".join(self._lines)

    def is_alive(self) -> bool:
        """Whether the program itself still runs."""
        return self._popen.poll() is None

    def wait_for_line(self, text: str, *, seconds: float = 15.0) -> str:
        """Return the first line that contains ``text``.

        Raises:
            TimeoutError: it did not come, or the program ended without it; shows what was printed.
        """
        deadline = time.monotonic() + seconds
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if text in line:
                        return line.rstrip("\n")
                seen = len(self._lines)
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not self._reader.is_alive():
                    raise TimeoutError(self._complaint(f"did not print {text!r}"))
                self._changed.wait(min(remaining, 0.2))

    def wait_for_port(self, port: int, *, host: str = "127.0.0.1", seconds: float = 15.0) -> None:
        """Return as soon as ``port`` accepts connections.

        Raises:
            TimeoutError: it did not, or the program ended before; shows what was printed.
        """
        try:
            wait_for_port(port, host=host, seconds=seconds, alive=self.is_alive)
        except TimeoutError as error:
            raise TimeoutError(self._complaint(str(error))) from error

    def wait(self, *, seconds: float = 30.0) -> int:
        """Wait for the program to end by itself and return its exit code (negative: the signal that ended it)."""
        code = self._popen.wait(seconds)
        self._reader.join(2.0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        self._popen.send_signal(number)

    def kill_group(self) -> None:
        """Send SIGKILL to the program and all its children, as ``kill -9`` would, and wait for it to be gone."""
        self._signal_group(signal.SIGKILL)
        self._popen.wait(10.0)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 10.0) -> int:
        """End the program with ``number``, then what is left of its group with SIGKILL; return the exit code."""
        if self.is_alive():
            self._popen.send_signal(number)
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal_group(signal.SIGKILL)
            code = self._popen.wait(10.0)
        self._signal_group(signal.SIGKILL)
        self._reader.join(2.0)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _collect(self) -> None:
        if self._popen.stdout is None:
            return
        with self._popen.stdout as stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._popen.pid, number)
        except ProcessLookupError:
            return  # everybody is gone already, which is what was wanted

    def _complaint(self, what: str) -> str:
        printed = "".join(self._lines)[-4000:]
        return f"{self.name} {what}; it printed:\n{printed}"


def unprivileged_user() -> tuple[int | None, int | None]:
    """Return user and group id of ``nobody`` when we are root, else nothing to change."""
    if os.geteuid() != 0:
        return None, None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid
