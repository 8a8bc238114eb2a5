"""What TLS and client certificates cost: handshakes, and token requests on connections that are kept."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import msgspec

from bench.contenders import CHECKOUT
from bench.figures import Figure, noise_of, paired_ratio
from bench.machine import GENERATOR_CORE, SERVER_CORE, cpu_seconds, on_core
from bench.tls_load import TlsOrder, TlsResult
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.protocol import client_assertion, jws
from ostiary.protocol.credential import Credential
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

ORDERS = "https://orders.example"
BY_KEY, BY_CERTIFICATE = "by-key", "by-certificate"
_MOST_A_SECOND = 2500


@dataclass(frozen=True, slots=True)
class TlsServer:
    """``ostiary serve`` with certificates of its own CA, and two clients: one with a key, one with a certificate."""

    folder: Path
    process: Process
    port: int
    mtls_port: int

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.port}"

    def load(self, order: TlsOrder) -> tuple[float, float]:
        """How many a second, and the microseconds of the server's CPU for each."""
        command = [*on_core(GENERATOR_CORE), sys.executable, "-m", "bench.tls_load"]
        used = cpu_seconds(self.process.pid)
        done = subprocess.run(
            command, input=msgspec.json.encode(order), capture_output=True, cwd=CHECKOUT, check=True, timeout=90
        )
        spent = cpu_seconds(self.process.pid) - used
        result = msgspec.json.decode(done.stdout, type=TlsResult)
        if result.failure or not result.done:
            raise RuntimeError(f"the server refused: {result.failure}")
        return result.done / result.seconds, 1e6 * spent / result.done

    def handshakes(self, seconds: float, *, with_certificate: bool) -> TlsOrder:
        """Connections that end after their handshake, at the address that asks for certificates or at the other."""
        port = self.mtls_port if with_certificate else self.port
        return TlsOrder(port, str(self.folder / "root.pem"), self._certificate(with_certificate), seconds)

    def tokens(self, seconds: float, *, with_certificate: bool) -> TlsOrder:
        """Tokens by certificate over mutual TLS, or by ``private_key_jwt`` over TLS."""
        count = int(seconds * _MOST_A_SECOND)
        bodies = [self._by_certificate()] * count if with_certificate else [self._by_key() for _ in range(count)]
        return msgspec.structs.replace(
            self.handshakes(seconds, with_certificate=with_certificate),
            requests=[_request(body) for body in bodies],
            wanted='"access_token":"',
        )

    def _certificate(self, shown: bool) -> str:
        return str(self.folder / f"{BY_CERTIFICATE}.pem") if shown else ""

    def _by_certificate(self) -> str:
        form = {"grant_type": "client_credentials", "resource": ORDERS, "client_id": BY_CERTIFICATE}
        return urlencode(form)

    def _by_key(self) -> str:
        own = Credential.parse((self.folder / f"{BY_KEY}.json").read_bytes())
        payload = client_assertion.build(
            own.client_id, own.issuer, now=time.time(), life=200, jti=secrets.token_urlsafe(16)
        )
        assertion = jws.sign(payload, own.key, typ=client_assertion.TYP)
        form = {"grant_type": "client_credentials", "resource": ORDERS, "client_assertion": assertion}
        return urlencode(form | {"client_assertion_type": client_assertion.ASSERTION_TYPE})


def _request(body: str) -> str:
    return (
        "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


@contextmanager
def tls_server(folder: Path) -> Iterator[TlsServer]:
    """Founded, furnished, served."""
    folder.mkdir(parents=True)
    port, management, mtls = free_port(), free_port(), free_port()
    create_key_encryption_key(folder / "kek")
    (folder / "ostiary.toml").write_text(_CONFIGURATION.format(port=port, management=management, mtls=mtls))
    issuer = f"https://localhost:{port}"
    subject = f"san_uri={issuer}/clients/{BY_CERTIFICATE}"
    may = ("--api", ORDERS, "--scope", "orders:read")
    for command in (
        ["ca", "init", "--name", "Bench", "--permit-dns", "localhost"],
        ["api", "create", ORDERS, "--scope", "orders:read"],
        ["client", "create", BY_KEY, *may, "--generate", f"{BY_KEY}.json"],
        ["client", "create", BY_CERTIFICATE, "--certificate-subject", subject, "--bound-tokens", *may],
        ["cert", "issue", "--profile", "client", "--client", BY_CERTIFICATE, "--generate", f"{BY_CERTIFICATE}.pem"],
    ):
        program = [sys.executable, "-m", "ostiary", *command]
        subprocess.run(program, cwd=folder, check=True, capture_output=True, timeout=60)
    serve: list[str | Path] = [*on_core(SERVER_CORE), sys.executable, "-m", "ostiary", "serve"]
    with Process([*serve, "--config", folder / "ostiary.toml"], cwd=folder) as process:
        process.wait_for_line("Serving", seconds=30)
        for one in (port, mtls):
            process.wait_for_port(one)
        yield TlsServer(folder, process, port, mtls)


def figures(server: TlsServer, *, rounds: int, seconds: float) -> Iterator[Figure]:
    """Handshakes with and without a client's certificate; tokens by certificate beside tokens by key."""
    for name, make in (("handshakes/s", server.handshakes), ("tokens/s on kept connections over TLS", server.tokens)):
        rates: dict[bool, list[float]] = {True: [], False: []}
        costs: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(rounds):
            for shown in (True, False):
                rate, cost = server.load(make(seconds, with_certificate=shown))
                rates[shown].append(rate)
                costs[shown].append(cost)
        ratio = paired_ratio(costs[True], costs[False])
        yield Figure(
            f"{name}: with a client certificate",
            f"{median(rates[True]):,.0f}",
            f"without {median(rates[False]):,.0f}",
            ratio=ratio,
            noise=noise_of(costs[True], costs[False]),
            remark=f"the ratio is of the server's CPU: {median(costs[True]):.0f} us, {median(costs[False]):.0f} us",
        )


_CONFIGURATION = """
issuer = "https://localhost:{port}"
[keys]
key_encryption_key_file = "kek"
[server]
port = {port}
tls_from_own_ca = true
max_connections_per_address = 100000
[mtls]
port = {mtls}
public_url = "https://localhost:{mtls}"
[management]
port = {management}
[audit]
heads_file = "audit-heads.jsonl"
[log]
level = "error"
"""
