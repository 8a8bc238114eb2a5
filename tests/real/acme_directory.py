"""A real server with ACME over TLS, its CA, and names that are served on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.certificate_authority.acme.served_names import NameServer, name_server
from tests.real.served import Served
from tests.real_parts.ports import free_port
from tests.serving.certificates import issue

NAMES = ("www.example.com", "api.example.com")


@contextmanager
def threaded_name_server(texts: Path) -> Iterator[NameServer]:
    """A DNS server in a thread: every name has the address 127.0.0.1, and the TXT records that stand in ``texts``, one
    file a name, one record a line."""
    ready = threading.Event()
    running: dict[str, Any] = {}

    def answer(name: str, kind: str) -> list[str]:
        found = texts / name
        if kind == "TXT":
            return [f'"{line}"' for line in found.read_text().split()] if found.exists() else []
        return ["127.0.0.1"] if kind == "A" else []

    async def serve() -> None:
        async with name_server() as server:
            server.answer = answer
            stop = asyncio.Event()
            running.update(server=server, stop=stop, loop=asyncio.get_running_loop())
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield running["server"]
    finally:
        running["loop"].call_soon_threadsafe(running["stop"].set)
        thread.join(10)


@dataclass(slots=True)
class AcmeDirectory:
    """One installation with a CA for example.com and ACME. http_port, tls_port: where names are validated."""

    folder: Path
    dns_port: int
    http_port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    served: Served = field(init=False)
    trust_file: Path = field(init=False)

    def __post_init__(self) -> None:
        root = issue("root", ca=True)
        trust = ssl.create_default_context()
        trust.load_verify_locations(cadata=root.der)
        self.trust_file = self.folder / "tls-root.pem"
        self.trust_file.write_bytes(root.chain)
        acme = [
            "enabled = true",
            'allow_networks = ["127.0.0.0/8"]',
            f"http_port = {self.http_port}",
            f"tls_port = {self.tls_port}",
            f'dns_server = "127.0.0.1:{self.dns_port}"',
        ]
        leaf = issue("localhost", root).write(self.folder)
        self.served = Served(self.folder, certificate=leaf, trust=trust, settings={"acme": acme})

    @property
    def url(self) -> str:
        return f"{self.served.issuer}/acme/directory"

    def found(self) -> None:
        """Make the CA, by command."""
        self.served.ostiary("ca", "init", "--name", "Example", "--permit-dns", "example.com")

    def credential(self) -> dict[str, str]:
        """A credential by command; what its file says."""
        made = "--file", "eab.ini", "--owner", "ops", "--dns", "example.com"
        self.served.ostiary("acme", "eab", "create", *made)
        lines = (self.folder / "eab.ini").read_text().splitlines()
        return dict(line.split(" = ", 1) for line in lines)

    def run(self, *command: str | Path, code: int = 0, environment: Mapping[str, str] | None = None) -> str:
        """A client beside the server; all that it printed. Raises AssertionError on another exit code."""
        trusted = {"REQUESTS_CA_BUNDLE": str(self.trust_file), "LEGO_CA_CERTIFICATES": str(self.trust_file)}
        finished = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, cwd=self.folder, timeout=120,
            check=False, env={**os.environ, **trusted, **(environment or {})},
        )  # fmt: skip
        said = finished.stdout + finished.stderr
        assert finished.returncode == code, f"{command}: {finished.returncode}\n{said}"
        return said

    def certificates(self) -> list[dict[str, object]]:
        """The inventory."""
        rows: list[dict[str, object]] = json.loads(self.served.ostiary("cert", "list", "--all", "--format", "json"))
        return rows

    def verify(self, leaf: Path, chain: Path, name: str, openssl: Path) -> None:
        """openssl finds the certificate good for a server of this name, by our root alone."""
        self.run(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", name, "-CAfile",
                 self.folder / "root.pem", "-untrusted", chain, leaf)  # fmt: skip


@contextmanager
def acme_directory(folder: Path) -> Iterator[AcmeDirectory]:
    """A directory that serves; its CA is there."""
    texts = folder / "texts"
    texts.mkdir()
    with threaded_name_server(texts) as names:
        made = AcmeDirectory(folder, names.port)
        with made.served.run():
            made.found()
            yield made
