"""A real server process for the tests: its folder, its settings file, its clients, and what can be asked of it."""

from __future__ import annotations

import json
import secrets
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2

from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.protocol import client_assertion, jws
from ostiary.protocol.credential import API, CLIENT, Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.secret_files import write_secret_file
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

CLIENT_ID = "orders-client"
ORDERS = "https://orders.example.com"
STOCK = "https://stock.example.com"

Form = dict[str, str]


@dataclass(slots=True)
class Served:
    """One installation below ``folder``, with a static client and two static APIs: ORDERS wants self-contained
    tokens, STOCK reference tokens. ``run`` starts ``ostiary serve`` on it, as often as wanted.

    settings: more lines of TOML by section, such as ``{"server": ["max_body_bytes = 2048"]}``.
    """

    folder: Path
    workers: int = 1
    scheme_in_front: str = "https"
    settings: Mapping[str, list[str]] = field(default_factory=dict)
    certificate: tuple[Path, Path] | None = None
    trust: ssl.SSLContext | None = None
    issuer: str = ""
    port: int = 0
    management_port: int = 0
    client_key: SigningKey = field(default_factory=lambda: SigningKey.generate("ES256", kid="client-key"))
    api_key: SigningKey = field(default_factory=lambda: SigningKey.generate("ES256", kid="api-key"))

    def __post_init__(self) -> None:
        if self.port:
            return  # another machine of an installation that is there already: see ``beside``
        self.port, self.management_port = free_port(), free_port()
        # Without a certificate of its own the server stands behind a proxy, which these tests leave out.
        self.issuer = f"https://localhost:{self.port}"
        create_key_encryption_key(self.folder / "kek")
        for name, key in (("client", self.client_key), ("api", self.api_key)):
            (self.folder / f"{name}.jwk").write_text(json.dumps(key.verification_key.public_jwk()))
        client = Credential(CLIENT, self.issuer, CLIENT_ID, self.client_key)
        api = Credential(API, self.issuer, "api_orders", self.api_key, ORDERS)
        write_secret_file(self.client_file, client.to_json())
        write_secret_file(self.api_file, api.to_json())
        self.config.write_text(self._toml())

    @property
    def config(self) -> Path:
        return self.folder / "ostiary.toml"

    @property
    def client_file(self) -> Path:
        return self.folder / "client.json"

    @property
    def api_file(self) -> Path:
        return self.folder / "api.json"

    @property
    def database(self) -> Path:
        return self.folder / "ostiary.db"

    @property
    def url(self) -> str:
        """Where the issuer's endpoints are reached by the tests: directly, without the proxy."""
        return f"{'http' if self.certificate is None else 'https'}://localhost:{self.port}"

    @property
    def management(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    def beside(self, folder: Path, port: int, management_port: int) -> Served:
        """Another machine of the same installation, whose files stand in ``folder``: the same issuer and keys."""
        return replace(self, folder=folder, port=port, management_port=management_port)

    def _toml(self) -> str:
        sections: dict[str, list[str]] = {
            "server": [f"port = {self.port}", f"workers = {self.workers}"],
            "management": [f"port = {self.management_port}"],
            "keys": ['key_encryption_key_file = "kek"'],
            "audit": ['heads_file = "heads.jsonl"'],
            "log": ['level = "warning"'],
            "static.apis.orders": [
                f'identifier = "{ORDERS}"', 'scopes = {"orders:read" = "see", "orders:write" = "place"}',
                'keys = ["api.jwk"]',
            ],
            "static.apis.stock": [
                f'identifier = "{STOCK}"', 'scopes = {"stock:read" = "see"}', 'token_format = "reference"',
            ],
            f"static.clients.{CLIENT_ID}": [
                'keys = ["client.jwk"]', f'scopes = {{"{ORDERS}" = ["orders:read"], "{STOCK}" = ["stock:read"]}}',
            ],
        }  # fmt: skip
        if self.certificate is None:
            sections["server"].append("behind_proxy = true")
        else:
            certificate, key = self.certificate
            sections["server"] += [f'tls_certificate_file = "{certificate}"', f'tls_private_key_file = "{key}"']
        for name, lines in self.settings.items():
            # What a test says replaces the line of the same name.
            named = {line.split("=", 1)[0].strip(): line for line in [*sections.get(name, []), *lines]}
            sections[name] = list(named.values())
        body = [f"[{name}]\n" + "\n".join(lines) for name, lines in sections.items()]
        return "\n\n".join([f'issuer = "{self.issuer}"', *body]) + "\n"

    @contextmanager
    def run(self, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
        """``ostiary serve``, ready; whatever happens, nothing of it is left afterwards."""
        with self.start(environment) as process:
            self.wait_until_ready(process)
            yield process

    def start(self, environment: Mapping[str, str] | None = None) -> Process:
        """``ostiary serve``, started and not waited for."""
        command = [sys.executable, "-m", "ostiary", "serve", "--config", str(self.config)]
        return Process(command, cwd=self.folder, environment=environment)

    def wait_until_ready(self, process: Process, *, seconds: float = 20.0) -> None:
        """Return as soon as every worker serves. Raises TimeoutError with what was printed."""
        process.wait_for_line("Serving http", seconds=seconds)
        wait_until_answered(process, f"{self.management}/readyz", seconds=seconds)
        process.wait_for_port(self.port, seconds=seconds)

    def ostiary(self, *arguments: str, given: str | None = None, code: int = 0) -> str:
        """Run the command line beside the server; its standard output. Raises AssertionError on another exit code."""
        finished = subprocess.run(
            [sys.executable, "-m", "ostiary", *arguments],
            input=given, capture_output=True, text=True, cwd=self.folder, timeout=60, check=False,
        )  # fmt: skip
        assert finished.returncode == code, f"{arguments}: {finished.returncode}\n{finished.stdout}{finished.stderr}"
        return finished.stdout

    def assertion(self, *, jti: str | None = None, life: int = 250, key: SigningKey | None = None) -> str:
        """A client assertion of the client, never used before."""
        now = time.time()
        payload = client_assertion.build(
            CLIENT_ID, self.issuer, now=now, life=life, jti=jti or secrets.token_urlsafe(16)
        )
        return jws.sign(payload, key or self.client_key, typ=client_assertion.TYP)

    def api_assertion(self) -> str:
        """A client assertion of the API ORDERS."""
        payload = client_assertion.build("api_orders", self.issuer, now=time.time(), jti=secrets.token_urlsafe(16))
        return jws.sign(payload, self.api_key, typ=client_assertion.TYP)

    def form(self, assertion: str | None = None, *, resource: str = ORDERS) -> Form:
        """The body of a token request."""
        return {
            "grant_type": "client_credentials",
            "resource": resource,
            "client_assertion_type": client_assertion.ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
        }

    def ask(self, path: str, form: Form, *, timeout: float = 20.0) -> httpx2.Response:
        """POST a form on a connection of its own."""
        with self.http(timeout=timeout) as http:
            return http.post(path, data=form)

    def http(self, *, timeout: float = 20.0) -> httpx2.Client:
        """A client of the issuer's endpoints, connections kept."""
        return httpx2.Client(base_url=self.url, timeout=timeout, verify=self.trust or True, trust_env=False)

    def token(self, assertion: str | None = None, *, resource: str = ORDERS) -> str:
        """A fresh access token. Raises AssertionError when it is refused."""
        response = self.ask("/token", self.form(assertion, resource=resource))
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])

    def introspect(self, http: httpx2.Client, token: str) -> dict[str, object]:
        """What the server says about a token to the API ORDERS."""
        form = {
            "token": token,
            "client_assertion_type": client_assertion.ASSERTION_TYPE,
            "client_assertion": self.api_assertion(),
        }
        response = http.post("/introspect", data=form)
        assert response.status_code == 200, response.text
        answer: dict[str, object] = response.json()
        return answer


def wait_until_answered(process: Process, url: str, *, status: int = 200, seconds: float = 20.0) -> None:
    """Return as soon as ``url`` answers with ``status``. Raises TimeoutError with what the process printed."""
    deadline = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < deadline:
        try:
            if httpx2.get(url, timeout=2.0, trust_env=False).status_code == status:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"{url} did not answer {status}; the server said:\n{process.output[-4000:]}")


def descendants(pid: int) -> list[int]:
    """The processes below ``pid``, children before grandchildren."""
    found: list[int] = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until_gone(pids: list[int], *, seconds: float = 10.0) -> list[int]:
    """The processes that still run after so many seconds."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


TERM = signal.SIGTERM
