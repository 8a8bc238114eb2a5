"""The pytest plugin, used by a foreign suite as its users would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SUITE = """
import threading
from typing import Annotated
import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from ostiary.protocol.credential import API, Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.resource_server import ApiRequest, FromProxy, FromTls, Principal, ProxySecret, ResourceServer
from ostiary.resource_server.wsgi import api_request

guard = ResourceServer("https://auth.example.com", "https://orders.example.com")
app = FastAPI()

@app.get("/orders")
async def list_orders(caller: Annotated[Principal, Security(guard, scopes=["orders:read"])]):
    return caller.client_id

client = TestClient(app)

def status(token):
    return client.get("/orders", headers={"Authorization": f"Bearer {token}"}).status_code

def test_tokens(ostiary_tokens):
    tokens = ostiary_tokens(guard)
    answer = client.get("/orders", headers=tokens.headers("orders:read"))
    assert answer.json() == "test-client"
    assert status(tokens.valid("orders:read", client_id="me")) == 200
    assert status(tokens.scope_poor()) == 403
    faulty = (tokens.expired, tokens.foreign_issuer, tokens.foreign_audience, tokens.foreign_key)
    assert [status(make("orders:read")) for make in faulty] == [401] * 4
    assert status(tokens.make(scope="orders:read", jti=None)) == 401
    global kept
    kept = tokens.valid("orders:read")
    assert status(kept) == 200

def test_bound_tokens(ostiary_tokens):
    tokens = ostiary_tokens(guard)
    own, other = tokens.certificate("own"), tokens.certificate("other")
    headers = tokens.bearer(tokens.bound("orders:read", certificate=own, client_id="me"))
    def call(certificate):
        return TestClient(tokens.over_tls(app, certificate)).get("/orders", headers=headers)
    assert call(own).json() == "me"
    assert [call(each).status_code for each in (other, None)] == [401, 401]
    assert client.get("/orders", headers=headers).status_code == 401

def test_bound_tokens_behind_a_proxy(ostiary_tokens):
    behind = ResourceServer(
        "https://auth.example.com",
        "https://orders.example.com",
        client_certificates=FromProxy("client-cert", proxy=ProxySecret("X-Proxy", "x" * 32)),
    )
    tokens = ostiary_tokens(behind)
    own = tokens.certificate()
    token = tokens.bound("orders:read", certificate=own)
    sent = [("authorization", f"Bearer {token}"), ("client-cert", own.client_cert), ("x-proxy", "x" * 32)]
    raw = [(name.encode(), value.encode()) for name, value in sent]
    assert behind.check_sync(ApiRequest("GET", "/orders", headers=raw)).certificate_thumbprint == own.thumbprint
    wsgi = ResourceServer(
        "https://auth.example.com",
        "https://orders.example.com",
        client_certificates=FromTls(wsgi_variable="SSL_CLIENT_CERT"),
    )
    tokens = ostiary_tokens(wsgi)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/orders", "SSL_CLIENT_CERT": own.pem}
    bearer = tokens.bearer(tokens.bound("orders:read", certificate=own))
    assert wsgi.check_sync(api_request({**environ, "HTTP_AUTHORIZATION": bearer["Authorization"]}))

def test_revoked_tokens(ostiary_tokens):
    tokens = ostiary_tokens(guard)
    one, other = tokens.valid("orders:read"), tokens.valid("orders:read")
    assert status(one) == 200
    tokens.revoke(one)
    assert [status(each) for each in (one, other)] == [401, 200]

def test_an_api_that_follows_a_feed_needs_none_here(ostiary_tokens):
    key = SigningKey.generate("ES256")
    own = Credential(API, "https://auth.example.com", "api_orders", key, "https://orders.example.com")
    following = ResourceServer(credential=own, revocation="feed", traces=[])
    app = FastAPI(lifespan=following.lifespan)
    tokens = ostiary_tokens(following)
    with TestClient(app):
        headers = [(b"authorization", f"Bearer {tokens.valid()}".encode())]
        assert following.check_sync(ApiRequest("GET", "/", headers=headers))
        assert "ostiary-revocations" not in [thread.name for thread in threading.enumerate()]

def test_a_hook_of_its_own_is_still_asked(ostiary_tokens):
    asked = []
    hooked = ResourceServer(
        "https://auth.example.com", "https://orders.example.com", revocation=lambda *of: asked.append(of)
    )
    headers = [(b"authorization", f"Bearer {ostiary_tokens(hooked).valid()}".encode())]
    assert [hooked.check_sync(ApiRequest("GET", "/", headers=headers))] == [of[0] for of in asked]

def test_trust_ends_with_the_test():
    assert status(kept) == 503
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "OSTIARY_REVOCATION": "until_expiry"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_an_apis_own_tests_get_tokens_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "test_orders.py").write_text(SUITE)
    # The issuer's name does not resolve, and a real one must not be asked either: sockets are closed to this suite.
    (tmp_path / "conftest.py").write_text(
        "import socket\n"
        "def closed(self, address):\n"
        "    raise OSError('no network in this suite')\n"
        "socket.socket.connect = closed\n"
    )
    outcome = run(tmp_path)
    assert outcome.returncode == 0, outcome.stdout
    assert "7 passed" in outcome.stdout


def test_the_plugin_costs_other_suites_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_nothing_is_loaded():\n"
        "    assert 'ostiary.resource_server.testing' in sys.modules\n"
        "    heavy = ('cryptography', 'httpx2', 'fastapi', 'ostiary.resource_server.core', 'ostiary.protocol.jwk')\n"
        "    assert [name for name in heavy if name in sys.modules] == []\n"
    )
    outcome = run(tmp_path, "--disable-plugin-autoload", "-p", "ostiary.resource_server.testing")
    assert "1 passed" in outcome.stdout, outcome.stdout
