"""The sample APIs, each started as its own README line says, in front of a real server: 200, 401, 403 and the rest."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from ostiary.client import ClientAuth, ClientRequestAuth, TokenRequestRefused
from ostiary.protocol import jws
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from tests.real.dev_server import Dev, running_dev
from tests.real.served import wait_until_answered
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SCOPES = ["--scope", "orders:read=see orders", "--scope", "orders:write=change orders"]


def command_of(sample: str, port: int) -> tuple[list[str], Path]:
    """How a developer starts the sample, and where."""
    python = [sys.executable, "-m"]
    match sample:
        case "fastapi":
            return [*python, "uvicorn", "app:app", "--port", str(port)], SAMPLES / "fastapi_orders"
        case "flask":
            return [*python, "flask", "--app", "app", "run", "--port", str(port)], SAMPLES / "flask_orders"
        case "django-wsgi":
            django = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
            return django, SAMPLES / "django_orders"
        case "django-asgi":
            return [*python, "uvicorn", "orders.asgi:application", "--port", str(port)], SAMPLES / "django_orders"
        case _:
            raise ValueError(sample)


@dataclass(frozen=True, slots=True)
class Running:
    """One sample, once for self-contained and once for reference tokens, and clients that may read and write there."""

    dev: Dev
    api: str
    reference_api: str

    def file(self, client: str) -> Path:
        return self.dev.folder / f"{client}.json"

    def auth(self, client: str, api: str) -> ClientAuth:
        return ClientAuth.from_file(self.file(client), resource=api)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with running_dev(tmp_path_factory.mktemp("dev")) as started:
        yield started


@pytest.fixture(scope="module", params=["fastapi", "flask", "django-wsgi", "django-asgi"])
def running(request: pytest.FixtureRequest, dev: Dev) -> Iterator[Running]:
    sample: str = request.param
    ports = free_port(), free_port()
    apis = [f"http://localhost:{port}" for port in ports]
    kinds = ["self-contained", "reference"]
    for api, kind in zip(apis, kinds, strict=True):
        file = f"{sample}-{kind}.json"
        dev.ostiary("api", "create", api, "--name", f"{sample} {kind}", *SCOPES, "--tokens", kind, "--generate", file)
    for name, scopes in (("reader", "orders:read"), ("writer", "orders:write")):
        grants = [part for api in apis for part in ("--grant", f"{api}={scopes}")]
        dev.ostiary("client", "create", f"{sample}-{name}", "--generate", f"{sample}-{name}.json", *grants)
    processes = [start(dev, sample, kind, port) for kind, port in zip(kinds, ports, strict=True)]
    try:
        for process, port in zip(processes, ports, strict=True):
            wait_until_answered(process, f"http://localhost:{port}/healthz")
        yield Running(dev, *apis)
        for process in processes:
            assert "Traceback" not in process.output, process.output
    finally:
        for process in processes:
            process.stop()


def start(dev: Dev, sample: str, kind: str, port: int) -> Process:
    command, folder = command_of(sample, port)
    environment = {
        "OSTIARY_ISSUER": dev.issuer,
        "OSTIARY_AUDIENCE": f"http://localhost:{port}",
        "OSTIARY_API_KEY_FILE": str(dev.folder / f"{sample}-{kind}.json"),
        "OSTIARY_REPLAY_FILE": str(dev.folder / f"{sample}-{kind}-replay.db"),
    }
    return Process(command, cwd=folder, environment=environment)


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["running"])


def call(api: str, token: str | None = None, method: str = "GET") -> httpx2.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    body = {"item": "lamp", "quantity": 1} if method == "POST" else None
    return httpx2.request(method, f"{api}/orders", headers=headers, json=body, timeout=20.0)


def token_of(running: Running, client: str, api: str) -> str:
    return running.dev.ostiary("token", "get", "--client-file", str(running.file(client)), "--resource", api).strip()


def test_a_token_with_the_scope_is_admitted_whatever_its_kind(running: Running, sample: str) -> None:
    for api in (running.api, running.reference_api):
        with httpx2.Client(auth=running.auth(f"{sample}-reader", api), timeout=20.0) as http:
            answer = http.get(f"{api}/orders")
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"client": f"{sample}-reader", "orders": []}
    with httpx2.Client(auth=running.auth(f"{sample}-writer", running.api), timeout=20.0) as http:
        assert http.post(f"{running.api}/orders", json={"item": "lamp", "quantity": 1}).status_code == 201


def test_without_a_token_it_says_where_to_get_one(running: Running) -> None:
    refused = call(running.api)
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    metadata = f"{running.api}/.well-known/oauth-protected-resource"
    assert f'resource_metadata="{metadata}"' in challenge
    told = httpx2.get(metadata).json()
    assert told["resource"] == running.api
    assert told["authorization_servers"] == [running.dev.issuer]
    assert sorted(told["scopes_supported"]) == ["orders:read", "orders:write"]


def test_too_little_scope_is_403_and_a_token_for_another_api_is_401(running: Running, sample: str) -> None:
    token = token_of(running, f"{sample}-reader", running.api)
    refused = call(running.api, token, "POST")
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    assert 'scope="orders:write"' in refused.headers["www-authenticate"]
    assert call(running.reference_api, token).status_code == 401
    reference = token_of(running, f"{sample}-reader", running.reference_api)
    assert call(running.api, reference).status_code == 401


def test_a_revoked_reference_token_is_refused(running: Running, sample: str) -> None:
    token = token_of(running, f"{sample}-reader", running.reference_api)
    running.dev.ostiary("token", "revoke", "--client-file", str(running.file(f"{sample}-reader")), given=token)
    assert call(running.reference_api, token).status_code == 401


def test_a_request_that_the_client_signed_is_admitted_once(running: Running, sample: str) -> None:
    auth = ClientRequestAuth.from_file(running.file(f"{sample}-reader"), audience=running.api)
    with httpx2.Client(auth=auth, timeout=20.0) as http:
        admitted = http.get(f"{running.api}/orders")
        assert admitted.status_code == 200, admitted.text
        assert http.post(f"{running.api}/orders", json={"item": "lamp", "quantity": 1}).status_code == 403
    header = {"Ostiary-Client-JWT": admitted.request.headers["Ostiary-Client-JWT"]}
    assert httpx2.get(f"{running.api}/orders", headers=header).status_code == 401


def forged_token(token: str) -> str:
    """The same claims, signed by a stranger under the name of the issuer's key."""
    parsed = jws.parse(token)
    return jws.sign(parsed.payload, SigningKey.generate("ES256", kid=parsed.header.kid), typ="at+jwt")


def test_the_key_of_a_stranger_opens_nothing(running: Running, sample: str) -> None:
    token = token_of(running, f"{sample}-reader", running.api)
    assert call(running.api, token).status_code == 200
    refused = call(running.api, forged_token(token))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    own = Credential.parse(running.file(f"{sample}-reader").read_bytes())
    key = SigningKey.generate("ES256", kid=own.key.kid)
    auth = ClientRequestAuth(client_id=own.client_id, key=key, audience=running.api)
    with httpx2.Client(auth=auth, timeout=20.0) as http:
        assert http.get(f"{running.api}/orders").status_code == 401
    with (
        httpx2.Client(
            auth=ClientAuth(issuer=own.issuer, client_id=own.client_id, key=key, resource=running.reference_api),
            timeout=20.0,
        ) as http,
        pytest.raises(TokenRequestRefused, match="invalid_client"),
    ):
        http.get(f"{running.reference_api}/orders")


def test_an_altered_reference_token_is_refused(running: Running, sample: str) -> None:
    token = token_of(running, f"{sample}-reader", running.reference_api)
    assert token.startswith("ost_")
    assert call(running.reference_api, token).status_code == 200
    altered = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
    assert call(running.reference_api, altered).status_code == 401


def test_the_operator_reads_why_it_was_refused(running: Running, sample: str) -> None:
    token = token_of(running, f"{sample}-reader", running.api)
    head, payload, signature = token.split(".")
    forged = f"{head}.{payload}.{'A' * len(signature)}"
    refused = call(running.api, forged)
    assert refused.status_code == 401
    trace = refused.json()["trace"]
    told = explained(running.dev, trace)
    failed = [check for check in told["checks"] if not check["passed"]]
    assert failed[-1]["name"] == "signature"
    assert token not in json.dumps(told)
    assert explained_nothing(running.dev)


def explained(dev: Dev, trace: str) -> dict[str, list[dict[str, object]]]:
    """What ``explain`` tells once the API has sent its batch."""
    deadline = time.monotonic() + 20
    while True:
        command = [sys.executable, "-m", "ostiary", "explain", trace, "--format", "json"]
        told = subprocess.run(command, cwd=dev.folder, capture_output=True, text=True, timeout=60, check=False)
        if told.returncode == 0:
            found: dict[str, list[dict[str, object]]] = json.loads(told.stdout)
            return found
        assert time.monotonic() < deadline, told.stderr
        time.sleep(0.3)


def explained_nothing(dev: Dev) -> bool:
    """A trace id that nobody was given finds nothing."""
    return dev.ostiary("explain", f"tr_{secrets.token_hex(16)}", code=1) == ""
