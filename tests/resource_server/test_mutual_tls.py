"""An API that ends mutual TLS itself: real handshakes, real certificates, our own HTTP protocol."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ostiary.resource_server import FromProxy, FromTls, ProxyCertificate, ResourceServer
from ostiary.resource_server.asgi import AsgiGuard
from ostiary.serving.http_protocol import OstiaryHttpProtocol
from tests.resource_server import test_methods
from tests.resource_server.certificates import authority, bound_to, client_cert, issued
from tests.resource_server.serving import served_asgi, served_by_werkzeug
from tests.resource_server.test_behind_a_proxy import PROXY
from tests.resource_server.test_bound_tokens import OTHER, OWN
from tests.resource_server.test_methods import SHELLS, Shell
from tests.resource_server.world import World


async def who(request: Request) -> JSONResponse:
    principal = request.state.principal
    return JSONResponse({"client": principal.client_id, "certificate": principal.certificate_thumbprint})


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("127.0.0.1").configure_cert(context)
    authority().configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@contextmanager
def api(guard: ResourceServer) -> Iterator[str]:
    app = AsgiGuard(Starlette(routes=[Route("/orders", who)]), guard, scopes=["orders:read"])
    with served_asgi(app, tls=server_context(), http=OstiaryHttpProtocol) as url:
        yield url


def caller(name: str | None) -> httpx2.Client:
    """A client that shows the certificate called ``name``, or none."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    if name is not None:
        issued(name).configure_cert(context)
    return httpx2.Client(verify=context, trust_env=False)


def test_a_bound_token_is_worth_nothing_from_another_certificate(world: World) -> None:
    """standards 79; the same token on three connections, and on two requests of one connection."""
    token = world.token(**bound_to(OWN))
    headers = {"Authorization": f"Bearer {token}"}
    with api(world.guard()) as url, caller(OWN) as own, caller(OTHER) as other, caller(None) as nobody:
        for _ in range(2):
            answer = own.get(f"{url}/orders", headers=headers)
            assert (answer.status_code, answer.json()["certificate"]) == (200, bound_to(OWN)["cnf"]["x5t#S256"])
            answers = [each.get(f"{url}/orders", headers=headers) for each in (other, nobody)]
            assert [each.status_code for each in answers] == [401, 401]
            assert [each.json()["error"] for each in answers] == ["invalid_token"] * 2
        bearer = {"Authorization": f"Bearer {world.token()}"}
        assert [each.get(f"{url}/orders", headers=bearer).status_code for each in (own, nobody)] == [200, 200]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell.__name__)
def test_every_shell_asks_for_the_certificate_of_the_handshake(
    world: World, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """standards 79. Under WSGI the server is Werkzeug's, which puts the certificate into SSL_CLIENT_CERT."""
    context = server_context()
    serve_asgi = partial(served_asgi, tls=context, http=OstiaryHttpProtocol)
    monkeypatch.setattr(test_methods, "served_asgi", serve_asgi)
    monkeypatch.setattr(test_methods, "served_wsgi", partial(served_by_werkzeug, tls=context))
    world.options["client_certificates"] = FromTls(wsgi_variable="SSL_CLIENT_CERT")
    headers = {"Authorization": f"Bearer {world.token(**bound_to(OWN))}"}
    with shell(world, False) as url, caller(OWN) as own, caller(OTHER) as other, caller(None) as nobody:
        answers = [each.get(f"{url}/orders", headers=headers).status_code for each in (own, other, nobody, own)]
    assert answers == [200, 401, 401, 200]


def test_a_header_is_no_certificate_where_the_api_ends_tls(world: World) -> None:
    """attack 36."""
    headers = {"Authorization": f"Bearer {world.token(**bound_to(OWN))}", "Client-Cert": client_cert(OWN)}
    with api(world.guard()) as url, caller(OTHER) as other, caller(None) as nobody:
        assert [each.get(f"{url}/orders", headers=headers).status_code for each in (other, nobody)] == [401, 401]


def test_the_proxys_own_certificate_in_the_handshake_vouches_for_its_header(world: World) -> None:
    """standards 84, and attack 36: the same header from a peer with another certificate, or with none."""
    proof = ProxyCertificate(bound_to(PROXY)["cnf"]["x5t#S256"])
    guard = world.guard(client_certificates=FromProxy("client-cert", proxy=proof))
    headers = {"Authorization": f"Bearer {world.token(**bound_to(OWN))}", "Client-Cert": client_cert(OWN)}
    with api(guard) as url, caller(PROXY) as proxy, caller(OWN) as own, caller(None) as nobody:
        assert proxy.get(f"{url}/orders", headers=headers).status_code == 200
        assert [each.get(f"{url}/orders", headers=headers).status_code for each in (own, nobody)] == [401, 401]
        assert proxy.get(f"{url}/orders", headers={**headers, "Client-Cert": client_cert(OTHER)}).status_code == 401


def test_a_server_that_tells_no_certificate_admits_no_bound_token(world: World) -> None:
    """uvicorn alone hands no certificate on: closed, not open."""
    app = AsgiGuard(Starlette(routes=[Route("/orders", who)]), world.guard())
    headers = {"Authorization": f"Bearer {world.token(**bound_to(OWN))}"}
    with served_asgi(app, tls=server_context()) as url, caller(OWN) as own:
        assert own.get(f"{url}/orders", headers=headers).status_code == 401


@pytest.mark.parametrize(("name", "status"), [(OWN, 200), (OTHER, 401)])
def test_curl_calls_with_its_certificate(world: World, curl: str, tmp_path: Path, name: str, status: int) -> None:
    issued(name).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    authority().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    command = [curl, "--silent", "--cacert", str(tmp_path / "ca.pem"), "--cert", str(tmp_path / "client.pem")]
    bearer = f"Authorization: Bearer {world.token(**bound_to(OWN))}"
    with api(world.guard()) as url:
        ends = ["--header", bearer, "--write-out", " %{http_code}", f"{url}/orders"]
        answer = subprocess.run([*command, *ends], capture_output=True, text=True, check=True).stdout
    body, code = answer.rsplit(" ", 1)
    assert int(code) == status
    assert json.loads(body).get("client") == ("orders-client" if status == 200 else None)
