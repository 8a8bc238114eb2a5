"""Runs the commands of a Markdown page as its reader would, one after the other, in an empty folder.

The fences of a page mean:

- ``sh``: commands for bash. A first line ``# in a terminal of its own`` starts them in the background.
- ``python`` whose first line is ``# NAME.py``: a file that the reader writes; ``html`` and ``javascript`` likewise.
- ``browser``: what the reader does and sees in a browser, line by line (``person.py``); commands that open one, such as
  ``ostiary login``, are given the same reader.
- ``text`` right after commands: what they print, line by line; ``...`` stands for anything.

``pip install`` lines are left out: the package under test is there already (``tests/house`` installs the wheel). So are
``npm install`` lines: ``node_modules`` is what tests/foreign_clients/package-lock.json names. The
ports of the pages are exchanged for free ones, so that a page can be run beside a server that uses them. A page that
speaks of ``$DATABASE_URL`` is given an empty database of a real PostgreSQL.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.real_parts.node import FOREIGN_CLIENTS, locked_packages
from tests.real_parts.ports import free_port
from tests.real_parts.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
_FILE = re.compile(r"(?:# |// |<!-- )([\w-]+\.(?:py|js|html))(?: -->)?\n")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BACKGROUND = "# in a terminal of its own\n"
_READY_SECONDS = 60
_PORTS = ("8400", "8401", "8410", "8411", "8420", "8421", "8430", "8431", "8080", "8000")
_MANAGEMENT = re.compile(r"OSTIARY_MANAGEMENT__PORT=(\d+)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fence: its language and its text."""

    language: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """The fences of ``page``, in order."""
    return [Block(language, text) for language, text in _FENCE.findall(page.read_text())]


@dataclass(slots=True)
class Reader:
    """Somebody who follows a page in ``folder``. ``printed`` is the output of the last commands."""

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {port: free_port() for port in _PORTS})
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)
    printed: str = ""
    given: dict[str, str] = field(default_factory=dict)

    def follow(self, page: Path) -> None:
        """Do what the page says. Raises AssertionError where page and reality differ."""
        with ExitStack() as parts:
            if "$DATABASE_URL" in page.read_text():
                self.given["DATABASE_URL"] = parts.enter_context(PostgresServer()).fresh_database()
            self._follow(page)

    def _follow(self, page: Path) -> None:
        try:
            for block in blocks_of(page):
                self._do(block)
        finally:
            for process in reversed(self.background):
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(20)

    def _do(self, block: Block) -> None:
        match block.language:
            case "python" | "html" | "javascript":
                name = _FILE.match(block.text)
                if name is not None:
                    (self.folder / name[1]).write_text(self._with_ports(block.text))
            case "browser":
                steps = self._with_ports(block.text)
                command = [sys.executable, "-m", "tests.docs.person"]
                self.printed = self._finished(command, given=steps)
            case "sh" if block.text.startswith(_BACKGROUND):
                self._start(self._translated(block.text))
            case "sh":
                self.printed = self._run(self._translated(block.text))
            case "text":
                self._compare(block.text)

    def _translated(self, text: str) -> str:
        text = re.sub(r"^pip install .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("tr_...", self._last_trace())
        if re.search(r"^npm install ", text, re.MULTILINE):
            text = re.sub(r"^npm install .*\n", "", text, flags=re.MULTILINE)
            (self.folder / "node_modules").symlink_to(locked_packages(FOREIGN_CLIENTS) / "node_modules")
        text = re.sub(r"\bostiary dev\b", "ostiary dev --port 8400 --management-port 8401", text)
        return self._with_ports(text)

    def _with_ports(self, text: str) -> str:
        for written, used in self.ports.items():
            text = re.sub(rf"\b{written}\b", str(used), text)
        return text

    def _last_trace(self) -> str:
        found = re.findall(r"tr_[\w-]{20,}", self.printed)
        return str(found[-1]) if found else "tr_..."

    def _environment(self) -> dict[str, str]:
        scripts = str(Path(sys.executable).parent)
        own = {
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            # What the module webbrowser opens.
            "BROWSER": f"{sys.executable} -m tests.docs.person %s",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        return {**os.environ, **own, **self.given}

    def _run(self, text: str) -> str:
        return self._finished(["bash", "-uo", "pipefail", "-c", text])

    def _finished(self, command: list[str], given: str | None = None) -> str:
        finished = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert given is None or finished.returncode == 0, finished.stdout
        return finished.stdout

    def _start(self, text: str) -> None:
        log = self.folder / f"background-{len(self.background)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-uo", "pipefail", "-c", text],
                cwd=self.folder,
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.background.append(process)
        socket_file = re.search(r"--uds (\S+)", text)
        if socket_file is not None:
            self._wait(lambda: self._answers(self.folder / socket_file[1]), process, log)
            return
        port = self._port_of(text)
        self._wait(lambda: self._responds(port), process, log)

    def _port_of(self, text: str) -> int:
        """Where what these commands start says that it is ready."""
        if (named := _MANAGEMENT.search(text)) is not None:
            return int(named[1])
        if "ostiary " in text:
            return self.ports["8401"]
        # Before several nodes, which only pages with a database have, the proxy is the door.
        return self.ports["8080" if "nginx" in text and self.given else "8000"]

    def _wait(self, is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not is_ready():
            said = log.read_text(errors="replace")
            assert process.poll() is None, f"it ended: {said}"
            assert time.monotonic() < deadline, f"it is not ready: {said}"
            time.sleep(0.05)
        self.printed = log.read_text(errors="replace")

    @staticmethod
    def _responds(port: int) -> bool:
        """Whether something speaks HTTP there, whatever it says: a port for TLS answers 400."""
        try:
            httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=2)
        except httpx2.HTTPError:
            return False
        return True

    @staticmethod
    def _answers(socket_file: Path) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(socket_file)) == 0

    def _compare(self, expected: str) -> None:
        printed = self.printed
        for written, used in self.ports.items():
            printed = printed.replace(str(used), written)
        rest = [" ".join(line.split()) for line in printed.splitlines()]
        for line in expected.splitlines():
            wanted = " ".join(line.split())
            if not wanted:
                continue
            pattern = re.compile(".*".join(map(re.escape, wanted.split("..."))))
            while rest and not pattern.fullmatch(rest[0]):
                rest.pop(0)
            assert rest, f"the page promises {line!r}; printed was:\n{printed}"
            rest.pop(0)
