"""The servers that are measured: ``ostiary serve`` on SQLite with full fsync, and npm ``oidc-provider`` in memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from bench import people
from bench.load import Order, Result
from bench.machine import GENERATOR_CORE, SERVER_CORE, cpu_seconds, on_core
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.protocol.credential import API as CREDENTIAL_OF_AN_API
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from tests.real_parts.node import BENCH, locked_packages, node
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

OSTIARY_ISSUER = "https://issuer.example"
ORDERS, INVOICES = "https://orders.example", "https://invoices.example"  # self-contained and reference tokens
CLIENT, API = "bench-client", "api_invoices"
CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server. pinned: on one core, with the generator on the other."""

    name: str
    process: Process
    port: int
    issuer: str
    token_path: str
    introspection_path: str
    authorization_path: str
    userinfo_path: str
    client_key: SigningKey
    api_key: SigningKey
    pinned: bool = True
    known_tokens: list[str] = field(default_factory=list)
    follower: Credential | None = None
    """Of the API with self-contained tokens, for those that follow the revocation feed."""
    others: tuple[Contender, ...] = ()
    """Further nodes of the same installation, each with its share of the connections."""

    @property
    def ports(self) -> list[int]:
        """Where its nodes are reached."""
        return [self.port, *(one.port for one in self.others)]

    def order(self, resource: str, *, seconds: float, count: int) -> Order:
        """Tokens for ``resource``."""
        return Order(
            port=self.port,
            path=self.token_path,
            issuer=self.issuer,
            client_id=CLIENT,
            key=_private(self.client_key),
            form={"grant_type": "client_credentials", "resource": resource, "scope": "orders:read"},
            wanted='"access_token":"',
            seconds=seconds,
            count=count,
            ports=self.ports,
        )

    def introspection(self, *, seconds: float, count: int) -> Order:
        """Introspections by the API of fresh reference tokens, each asked about many times."""
        if not self.known_tokens:
            self.known_tokens.extend(self.tokens(INVOICES, 256))
        return Order(
            port=self.port,
            path=self.introspection_path,
            issuer=self.issuer,
            client_id=API,
            key=_private(self.api_key),
            form={},
            wanted='"active":true',
            seconds=seconds,
            count=count,
            tokens=self.known_tokens,
            ports=self.ports,
        )

    def tokens(self, resource: str, count: int) -> list[str]:
        """Fresh access tokens for ``resource``."""
        order = msgspec.structs.replace(self.order(resource, seconds=10, count=count), keep=count, connections=8)
        return [json.loads(body)["access_token"] for body in self.load(order)[0].bodies]

    def load(self, order: Order, *, settle: bool = False) -> tuple[Result, float]:
        """Run the generator in a process of its own; the result, and the CPU seconds that the server used.

        settle: wait until the server has done what the load left it to do, and count that too.
        """
        command = [*on_core(GENERATOR_CORE if self.pinned else None), sys.executable, "-m", "bench.load"]
        used = self._cpu()
        try:
            done = subprocess.run(
                command, input=msgspec.json.encode(order), capture_output=True, cwd=CHECKOUT, check=True, timeout=90
            )
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"the generator failed: {error.stderr.decode()[-2000:]}") from error
        result = msgspec.json.decode(done.stdout, type=Result)
        if result.failed or not result.answered:
            raise RuntimeError(
                f"{self.name} failed {result.failed} of {result.failed + result.answered} requests:"
                f" {result.first_failure}"
            )
        return result, (self._cpu_when_quiet() if settle else self._cpu()) - used

    def _cpu(self) -> float:
        return sum(cpu_seconds(one.process.pid) for one in (self, *self.others))

    def _cpu_when_quiet(self) -> float:
        """CPU seconds so far, once the server has done what the load left it to do (seals, garbage)."""
        used = self._cpu()
        for _ in range(10):
            time.sleep(0.6)
            before, used = used, self._cpu()
            if used - before < 0.03:
                break
        return used


@contextmanager
def ostiary_serve(
    folder: Path,
    *,
    workers: int = 1,
    pinned: bool = True,
    with_people: bool = False,
    database: str = "sqlite:///ostiary.db",
) -> Iterator[Contender]:
    """``ostiary serve`` with static clients and APIs, everything durable, its housekeeping and its audit seals on.

    with_people: and the users and the application of ``people``. database: its URL.
    """
    keys = installed(folder)
    with started(folder, keys, workers=workers, pinned=pinned, with_people=with_people, database=database) as contender:
        yield contender


Keys = tuple[SigningKey, SigningKey, SigningKey]
"""Of the client, of the API with reference tokens, and of the one with self-contained ones."""


def installed(folder: Path) -> Keys:
    """The files of an installation, but for its settings."""
    folder.mkdir(parents=True)
    client_key, api_key, follower_key = (SigningKey.generate("ES256") for _ in range(3))
    (folder / "follower.json").write_text(json.dumps(follower_key.verification_key.public_jwk()))
    (folder / "client.json").write_text(json.dumps(client_key.verification_key.public_jwk()))
    (folder / "api.json").write_text(json.dumps(api_key.verification_key.public_jwk()))
    create_key_encryption_key(folder / "kek")
    return client_key, api_key, follower_key


@contextmanager
def started(
    folder: Path, keys: Keys, *, database: str, workers: int = 1, pinned: bool = True, with_people: bool = False
) -> Iterator[Contender]:
    """One node of the installation whose files stand in ``folder``, ready."""
    port, management_port = free_port(), free_port()
    settings = _CONFIGURATION.format(port=port, management=management_port, workers=workers, database=database)
    (folder / "ostiary.toml").write_text(settings)
    if with_people:
        asyncio.run(people.register(folder / "ostiary.toml"))
    command: list[str | Path] = [*on_core(SERVER_CORE if pinned else None), sys.executable, "-m", "ostiary"]
    with Process([*command, "serve", "--config", folder / "ostiary.toml"], cwd=CHECKOUT) as process:
        process.wait_for_line("Serving", seconds=180)
        process.wait_for_port(port)
        _wait_until_ready(management_port)
        name = f"ostiary ({workers} worker{'s' if workers > 1 else ''})"
        follower = Credential(CREDENTIAL_OF_AN_API, OSTIARY_ISSUER, "api_orders", keys[2], ORDERS)
        paths = ("/token", "/introspect", "/authorize", "/userinfo")
        yield Contender(name, process, port, OSTIARY_ISSUER, *paths, *keys[:2], pinned, follower=follower)


_CONFIGURATION = f"""
issuer = "{OSTIARY_ISSUER}"
[storage]
url = "{{database}}"
[keys]
key_encryption_key_file = "kek"
[server]
host = "127.0.0.1"
port = {{port}}
workers = {{workers}}
behind_proxy = true
max_connections = 2500
[management]
port = {{management}}
[audit]
heads_file = "audit-heads.jsonl"
[log]
level = "warning"
[revocation_feed]
max_streams = 1200
max_streams_per_api = 1200
[static.clients.{CLIENT}]
keys = ["client.json"]
scopes = {{{{ "{ORDERS}" = ["orders:read"], "{INVOICES}" = ["orders:read"] }}}}
[static.apis.orders]
identifier = "{ORDERS}"
scopes = {{{{ "orders:read" = "see orders" }}}}
keys = ["follower.json"]
[static.apis.invoices]
identifier = "{INVOICES}"
scopes = {{{{ "orders:read" = "see orders" }}}}
token_format = "reference"
keys = ["api.json"]
"""


@contextmanager
def oidc_provider(folder: Path, *, pinned: bool = True, with_people: bool = False) -> Iterator[Contender]:
    """The peer, ready."""
    core = SERVER_CORE if pinned else None
    command, contender = oidc_provider_command(folder, core=core, with_people=with_people)
    with Process(command, environment={"NODE_ENV": "production"}) as process:
        process.wait_for_line("ready", seconds=30)
        yield replace(contender, process=process, pinned=pinned)


def oidc_provider_command(
    folder: Path, *, core: int | None = SERVER_CORE, with_people: bool = False
) -> tuple[list[str | Path], Contender]:
    """How to start the peer, and what it will be (its process is only a place-holder until it is started)."""
    folder.mkdir(parents=True, exist_ok=True)
    client_key, api_key, port = SigningKey.generate("ES256"), SigningKey.generate("ES256"), free_port()
    issuer = f"http://localhost:{port}"
    owners = {CLIENT: client_key, API: api_key}
    clients = [{"clientId": name, "jwk": key.verification_key.public_jwk()} for name, key in owners.items()]
    configuration = {
        "port": port,
        "issuer": issuer,
        "clients": clients,
        "jwtResource": ORDERS,
        "opaqueResource": INVOICES,
        "modules": str(locked_packages(BENCH)),
        "people": people.told_to_the_peer() if with_people else None,
    }
    (folder / "peer.json").write_text(json.dumps(configuration))
    command: list[str | Path] = [*on_core(core), node(), BENCH / "peers" / "oidc_provider.mjs", folder / "peer.json"]
    paths = ("/token", "/token/introspection", "/auth", "/me")
    return command, Contender("oidc-provider", _NONE, port, issuer, *paths, client_key, api_key)


_NONE: Process = None  # type: ignore[assignment]


def _private(key: SigningKey) -> str:
    return json.dumps(key.private_jwk())


def _wait_until_ready(management_port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{management_port}/readyz", timeout=15) as answer:
        answer.read()
