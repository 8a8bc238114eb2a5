"""The processes of the demo: the server, the sample API, and the command line."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from demo.checks import StepFailed, expect
from demo.credentials import credential_in, proof_of
from demo.relay import Relay

_SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "fastapi_orders"
START_SECONDS = 30.0
FRESH_SIGN_IN = 5
"""Seconds: how old the user's sign-in may be where the sample API demands a fresh one."""


@dataclass(slots=True)
class Demo:
    """Where everything is; ``folder`` holds all data of the demo and is thrown away at its end."""

    folder: Path
    issuer_port: int
    management_port: int
    api_port: int
    reference_api_port: int
    tls_api_port: int
    mtls_port: int
    relay: Relay
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.issuer_port}"

    @property
    def api(self) -> str:
        return f"http://localhost:{self.api_port}"

    @property
    def reference_api(self) -> str:
        return f"http://localhost:{self.reference_api_port}"

    @property
    def tls_api(self) -> str:
        return f"https://localhost:{self.tls_api_port}"

    def ostiary(self, *arguments: str, given: str | None = None, code: int = 0) -> str:
        """Run the command line; its standard output. Raises StepFailed unless it ends with ``code``."""
        finished = subprocess.run(
            [sys.executable, "-m", "ostiary", *arguments],
            input=given,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=60,
            check=False,
        )
        if finished.returncode != code:
            command = " ".join(("ostiary", *arguments))
            raise StepFailed(f"`{command}` ended with {finished.returncode}:\n{finished.stdout}{finished.stderr}")
        return finished.stdout

    def is_active(self, api: str, token: str) -> bool:
        """What introspection (RFC 7662) says of ``token`` to the API of this name."""
        form = {"token": token, **proof_of(credential_in(self.folder / f"{api}.json"))}
        answer = httpx2.post(f"{self.issuer}/introspect", data=form, timeout=30.0)
        expect("status of the introspection", answer.status_code, 200)
        return bool(answer.json()["active"])

    def start(
        self,
        name: str,
        command: list[str],
        url: str,
        environment: dict[str, str] | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Start a process that lives as long as the demo, and wait until ``url`` answers."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
            )
        self.processes.append(process)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            with contextlib.suppress(httpx2.HTTPError):
                httpx2.get(url, timeout=2.0, verify=trust or True)
                return
            time.sleep(0.02)
        raise StepFailed(f"{name} did not start; it said:\n{log.read_text(errors='replace')}")

    def start_server(self) -> None:
        """The server, as ``ostiary dev`` runs it."""
        ports = ["--port", str(self.issuer_port), "--management-port", str(self.management_port)]
        ports += ["--mtls-port", str(self.mtls_port)]
        command = [sys.executable, "-m", "ostiary", "dev", "--directory", str(self.folder / ".ostiary"), *ports]
        self.start("server", command, f"http://127.0.0.1:{self.management_port}/readyz")

    def start_api(self, name: str, port: int, audience: str) -> None:
        """The sample FastAPI application, protected by the guard, as an API of its own."""
        command = [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(_SAMPLE), "--port", str(port)]
        environment = self._environment(name, audience)
        if audience == self.api:
            # What it asks the server passes where it is counted.
            environment["OSTIARY_INTERNAL_URL"] = self.relay.url
        self.start(name, command, f"http://127.0.0.1:{port}/", environment)

    def start_tls_api(self, name: str) -> None:
        """The same over TLS, with the certificate in ``<name>.pem``; clients may show one of the private CA."""
        root = self.folder / ".ostiary" / "root.pem"
        certificate, port = str(self.folder / f"{name}.pem"), str(self.tls_api_port)
        command = [sys.executable, "-m", "demo.tls_api", str(_SAMPLE), port, certificate, str(root)]
        environment = self._environment(name, self.tls_api) | {"PYTHONPATH": _python_path()}
        trust = ssl.create_default_context(cafile=str(root))
        self.start(name, command, f"{self.tls_api}/", environment, trust)

    def _environment(self, name: str, audience: str) -> dict[str, str]:
        return {
            "OSTIARY_ISSUER": self.issuer,
            "OSTIARY_AUDIENCE": audience,
            "OSTIARY_API_KEY_FILE": str(self.folder / f"{name}.json"),
            "OSTIARY_REPLAY_FILE": str(self.folder / f"{name}-replay.db"),
            "ORDERS_FRESH_SIGN_IN": str(FRESH_SIGN_IN),
        }

    def stop(self) -> None:
        """Close what was opened, and stop every process, the last one first."""
        self.closing.close()
        self.relay.close()
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    """A demo on free ports below ``folder``."""
    issuer, management, api, reference_api, tls_api, mtls = _free_ports(6)
    parts = Demo(folder, issuer, management, api, reference_api, tls_api, mtls, Relay(issuer))
    try:
        yield parts
    finally:
        parts.stop()


def _python_path() -> str:
    """Where this demo itself was found."""
    here = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
