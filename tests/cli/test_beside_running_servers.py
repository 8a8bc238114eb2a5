"""What the command line commits binds the next request of every process, and disturbs nobody whom it does not concern.

Two server processes share one SQLite file and answer steady requests; each change is made by a command in a process of
its own. As soon as that has ended, one request to each server has to know.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.protocol import client_assertion, jws
from ostiary.protocol.credential import Credential
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real

ISSUER = "https://auth.example.com"
ORDERS = "https://orders.example.com"
OSTIARY = [sys.executable, "-m", "ostiary"]


@dataclass
class Installation:
    """Two servers on one database."""

    folder: Path
    ports: tuple[int, int]
    http: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=10.0, trust_env=False))

    def config(self, number: int) -> str:
        return f"server-{number}.toml"

    def write(self) -> None:
        for number, port in enumerate(self.ports):
            (self.folder / self.config(number)).write_text(
                f'issuer = "{ISSUER}"\n[storage]\nurl = "sqlite:///shared.db"\n'
                '[keys]\nkey_encryption_key_file = "kek"\npublish_before = 1\njwks_max_age = 1\n'
                f'[server]\nhost = "127.0.0.1"\nport = {port}\nbehind_proxy = true\n'
                f"[management]\nport = {free_port()}\n"
            )

    def command(self, *arguments: str) -> Any:
        """Run a command in a process of its own; its result."""
        command = [*OSTIARY, *arguments, "--config", self.config(0), "--format", "json"]
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def credential(self, name: str) -> Credential:
        return Credential.parse((self.folder / f"{name}.json").read_bytes())

    def post(
        self, server: int, path: str, name: str, http: httpx2.Client | None = None, **form: str
    ) -> httpx2.Response:
        proof = self.credential(name)
        payload = client_assertion.build(proof.client_id, ISSUER, now=time.time(), jti=secrets.token_urlsafe(16))
        form["client_assertion"] = jws.sign(payload, proof.key, typ=client_assertion.TYP)
        form["client_assertion_type"] = client_assertion.ASSERTION_TYPE
        return (http or self.http).post(f"http://127.0.0.1:{self.ports[server]}{path}", data=form)

    def token(self, server: int, name: str, http: httpx2.Client | None = None) -> httpx2.Response:
        return self.post(server, "/token", name, http, grant_type="client_credentials", resource=ORDERS)

    def statuses(self, name: str) -> list[int]:
        """One token request to each server."""
        return [self.token(server, name).status_code for server in (0, 1)]

    def kids(self) -> list[set[str]]:
        """What each server publishes."""
        sets = [self.http.get(f"http://127.0.0.1:{port}/jwks").json()["keys"] for port in self.ports]
        return [{key["kid"] for key in keys} for keys in sets]

    @contextmanager
    def steady_requests(self) -> Iterator[list[int]]:
        """Token requests of the client ``steady`` to both servers all the while; the statuses of the answers."""
        stop = threading.Event()
        answered: list[int] = []

        def ask(server: int) -> None:
            with httpx2.Client(timeout=10.0, trust_env=False) as http:
                while not stop.is_set():
                    answered.append(self.token(server, "steady", http).status_code)

        threads = [threading.Thread(target=ask, args=(server,)) for server in (0, 1)]
        for thread in threads:
            thread.start()
        try:
            yield answered
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path, (free_port(), free_port()))
    made.write()
    subprocess.run([*OSTIARY, "keys", "new-kek", "kek"], cwd=tmp_path, check=True, capture_output=True)
    made.command("api", "create", ORDERS, "--scope", "a=see", "--generate", "api.json")
    for name in ("steady", "victim"):
        made.command("client", "create", name, "--grant", f"{ORDERS}=a", "--generate", f"{name}.json")
    with ExitStack() as stack:
        for number in (0, 1):
            process = stack.enter_context(Process([*OSTIARY, "serve", "--config", made.config(number)], cwd=tmp_path))
            process.wait_for_line("Serving")
            process.wait_for_port(made.ports[number])
        yield made
        made.http.close()


def active(answers: Sequence[httpx2.Response]) -> list[bool]:
    return [bool(answer.json()["active"]) for answer in answers]


def introspected(installation: Installation, token: str) -> list[bool]:
    return active([installation.post(server, "/introspect", "api", token=token) for server in (0, 1)])


def test_every_process_knows_with_its_next_request(installation: Installation) -> None:
    """standards 72: disable, enable, retire, revoke, rotate, withdraw."""
    with installation.steady_requests() as answered:
        token = installation.token(0, "victim").json()["access_token"]
        assert (installation.statuses("victim"), introspected(installation, token)) == ([200, 200], [True, True])

        installation.command("client", "disable", "victim")
        assert (installation.statuses("victim"), introspected(installation, token)) == ([401, 401], [False, False])
        installation.command("client", "enable", "victim")
        assert (installation.statuses("victim"), introspected(installation, token)) == ([200, 200], [False, False])

        first = installation.credential("victim").key.kid
        installation.command("client", "keys", "add", "victim", "--generate", "next.json")
        assert installation.statuses("next") == [200, 200]
        held = installation.token(1, "victim").json()["access_token"]
        installation.command("client", "keys", "retire", "victim", first)
        assert (installation.statuses("victim"), installation.statuses("next")) == ([401, 401], [200, 200])
        assert introspected(installation, held) == [True, True]

        kept = installation.token(0, "next").json()["access_token"]
        installation.command("client", "keys", "revoke", "victim", installation.credential("next").key.kid)
        assert (installation.statuses("next"), introspected(installation, kept)) == ([401, 401], [False, False])

        time.sleep(1.1)  # the next signing key was published when the first server started; it may sign after a second
        rotated = installation.command("keys", "rotate")[0]
        assert rotated["outcome"] == "switched"
        fresh = [installation.token(server, "steady").json()["access_token"] for server in (0, 1)]
        assert [jws.parse(one).header.kid for one in fresh] == [rotated["new_kid"]] * 2
        assert all(rotated["old_kid"] in kids for kids in installation.kids())
        assert introspected(installation, held) == [True, True]

        installation.command("keys", "rotate", "--compromised", "--kid", rotated["old_kid"], "--yes")
        assert not any(rotated["old_kid"] in kids for kids in installation.kids())
        assert introspected(installation, held) == [False, False]
        assert introspected(installation, fresh[0]) == [True, True]
    assert len(answered) > 50
    assert set(answered) == {200}
