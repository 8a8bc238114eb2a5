"""Clients with certificates over real TLS: curl, Authlib, our own library and command line; and renewals under way."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
import trustme
from authlib.integrations.requests_client import OAuth2Session
from cryptography import x509

from ostiary.client import ClientAuth, ClientCertificate, TokenRequestRefused
from ostiary.client.certificate_transport import KEPT
from ostiary.protocol.certificate import read_pem
from ostiary.protocol.certificate_credential import CLIENT_CERTIFICATE
from ostiary.secret_files import replace_secret_file, write_secret_file
from tests.authorization_server.certificates import Made, authority, leaf, self_signed
from tests.authorization_server.world import NOW
from tests.real.served import ORDERS, STOCK, Served
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
# The certificates of the tests begin at the tests' own time; this is how far the real one is from it.
_SHIFT = int(datetime.now(UTC).timestamp()) - int(NOW)
PERIOD: dict[str, Any] = {"begins": _SHIFT - 3600, "ends": _SHIFT + 86_400}
SHOP = x509.DNSName("shop.example.com")


@dataclass(frozen=True)
class Site:
    """Issuer and API, and the authority whose certificates name clients. Files: ca.pem, NAME.pem and NAME.key.

    mtls: where the issuer asks for certificates.
    """

    served: Served
    mtls: str
    orders: str
    root: Made

    def write(self, name: str, made: Made) -> None:
        """Put certificate and key where ``name`` has its own."""
        for ending, content in (("pem", made.pem), ("key", made.key_pem)):
            path = self.served.folder / f"{name}.{ending}"
            replace_secret_file(path, content) if path.exists() else write_secret_file(path, content)

    def issue(self, name: str = "shop") -> Made:
        """A certificate of shop.example.com in the files of ``name``."""
        made = leaf(self.root, SHOP, **PERIOD)
        self.write(name, made)
        return made

    def curl(self, curl: str, name: str | None, *arguments: str) -> tuple[int, Any]:
        """Status and body of what curl was answered, with the certificate of ``name``."""
        folder = self.served.folder
        shown = [] if name is None else ["--cert", f"{folder / name}.pem", "--key", f"{folder / name}.key"]
        command = [curl, "--silent", "--cacert", str(folder / "ca.pem"), *shown, "-w", "\n%{http_code}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def certificate(self, name: str) -> ClientCertificate:
        """The files of ``name`` for our library."""
        folder = self.served.folder
        return ClientCertificate(folder / f"{name}.pem", folder / f"{name}.key", ca=folder / "ca.pem")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("mutual_tls")
    servers = trustme.CA()
    own = servers.issue_cert("localhost")
    own.private_key_pem.write_to_path(folder / "tls.key")
    (folder / "tls.key").chmod(0o600)
    (folder / "tls.pem").write_bytes(b"".join(pem.bytes() for pem in own.cert_chain_pems))
    servers.cert_pem.write_to_path(folder / "ca.pem")
    root, registered = authority(**PERIOD), self_signed("registered", **PERIOD)
    (folder / "clients.pem").write_bytes(root.pem)
    (folder / "door.pem").write_bytes(root.pem + registered.pem)
    (folder / "registered.pem").write_bytes(registered.pem)
    scopes = f'scopes = {{"{ORDERS}" = ["orders:read"], "{STOCK}" = ["stock:read"]}}'
    subject = ['authentication_method = "tls_client_auth"', 'certificate_subject = { san_dns = "shop.example.com" }']
    listed = ['authentication_method = "self_signed_tls_client_auth"', 'certificates = ["registered.pem"]']
    mtls_port, port = free_port(), free_port()
    mtls = f"https://localhost:{mtls_port}"
    settings = {
        "mtls": [f"port = {mtls_port}", f'public_url = "{mtls}"', 'client_ca_files = ["clients.pem"]'],
        "static.clients.shop": [*subject, scopes, "bound_tokens = true"],
        "static.clients.registered": [*listed, scopes, "bound_tokens = true"],
    }
    trust = ssl.create_default_context(cafile=folder / "ca.pem")
    served = Served(folder, certificate=(folder / "tls.pem", folder / "tls.key"), trust=trust, settings=settings)
    found = Site(served, mtls, f"https://localhost:{port}/orders", root)
    write_secret_file(folder / "registered.key", registered.key_pem)
    found.issue("shop")
    found.issue("twin")
    found.write("stranger", leaf(root, x509.DNSName("stranger.example.com"), **PERIOD))
    command = [sys.executable, "-m", "tests.real.mutual_tls_api", str(folder), str(port), served.issuer]
    environment = {"SSL_CERT_FILE": str(folder / "ca.pem")}
    with served.run() as server, Process(command, cwd=ROOT, environment=environment) as api:
        server.wait_for_port(mtls_port)
        api.wait_for_port(port, seconds=30.0)
        yield found


def _form(client_id: str, resource: str = ORDERS) -> list[str]:
    pairs = {"grant_type": "client_credentials", "client_id": client_id, "resource": resource}
    return [part for name, value in pairs.items() for part in ("--data-urlencode", f"{name}={value}")]


@pytest.mark.parametrize("client_id", ["shop", "registered"])
def test_curl_gets_a_bound_token_that_is_good_with_its_certificate_alone(site: Site, curl: str, client_id: str) -> None:
    """standards 79"""
    status, body = site.curl(curl, client_id, *_form(client_id), f"{site.mtls}/token")
    assert status == 200, body
    header = f"Authorization: Bearer {json.loads(body)['access_token']}"
    assert site.curl(curl, client_id, "-H", header, site.orders) == (200, client_id)
    for other in ("twin", "stranger", None):
        status, told = site.curl(curl, other, "-H", header, site.orders)
        assert (status, "invalid_token" in told) == (401, True), (other, told)


@pytest.mark.parametrize(("client_id", "shown"), [("shop", "stranger"), ("shop", "registered"), ("registered", "shop")])
def test_the_certificate_of_another_is_refused_though_tls_let_it_in(
    site: Site, curl: str, client_id: str, shown: str
) -> None:
    status, body = site.curl(curl, shown, *_form(client_id), f"{site.mtls}/token")
    assert (status, json.loads(body)["error_description"]) == (401, "client authentication failed")


def test_the_refusal_of_a_certificate_can_be_explained(site: Site, curl: str) -> None:
    _, body = site.curl(curl, "stranger", *_form("shop"), f"{site.mtls}/token")
    told = site.served.ostiary("explain", json.loads(body)["trace"])
    assert "san_dns stranger.example.com" in told
    assert "san_dns shop.example.com" in told
    assert "ostiary client change" in told


def test_authlib_gets_a_token_by_its_certificate(site: Site) -> None:
    """A foreign client with a method of its own for RFC 8705: the certificate of its session and client_id."""
    folder = site.served.folder
    with OAuth2Session("shop", token_endpoint_auth_method="tls_client_auth") as session:
        session.register_client_auth_method(("tls_client_auth", _name_only))
        tls: Any = {"cert": (f"{folder}/shop.pem", f"{folder}/shop.key"), "verify": f"{folder}/ca.pem"}
        form = {"grant_type": "client_credentials", "resource": ORDERS, "client_id": "shop"}
        token = session.fetch_token(f"{site.mtls}/token", **form, **tls)
        header = {"Authorization": f"Bearer {token['access_token']}"}
        assert requests.get(site.orders, headers=header, timeout=20, **tls).text == "shop"


def _name_only(client: Any, method: str, uri: str, headers: Any, body: str) -> tuple[str, Any, str]:
    return uri, headers, body


def test_our_library_calls_with_the_certificate_of_its_token(site: Site) -> None:
    certificate = site.certificate("shop")
    auth = ClientAuth(
        issuer=site.served.issuer, client_id="shop", certificate=certificate, resource=ORDERS, origins=[site.orders]
    )
    with httpx2.Client(auth=auth, transport=auth.transport()) as http:
        assert [http.get(site.orders).text for _ in range(3)] == ["shop"] * 3


def test_a_renewed_certificate_is_used_for_new_tokens_on_new_connections(site: Site) -> None:
    """Renewal while a connection is kept: a token of after it never goes over a connection of before."""
    site.issue("renewed")
    auth = ClientAuth(
        issuer=site.served.issuer, client_id="shop", certificate=site.certificate("renewed"), resource=ORDERS,
        origins=[site.orders],
    )  # fmt: skip
    with httpx2.Client(auth=auth, transport=auth.transport()) as http:
        for _ in range(KEPT + 2):
            before = auth.certificate_thumbprint
            assert http.get(site.orders).text == "shop"
            made = site.issue("renewed")
            assert auth.certificate_thumbprint == made.thumbprint != before
        assert http.get(site.orders).text == "shop"


@pytest.mark.anyio
async def test_the_same_holds_without_blocking_the_event_loop(site: Site) -> None:
    site.issue("renewed")
    auth = ClientAuth(
        issuer=site.served.issuer, client_id="shop", certificate=site.certificate("renewed"), resource=ORDERS,
        origins=[site.orders],
    )  # fmt: skip
    async with httpx2.AsyncClient(auth=auth, transport=auth.async_transport()) as http:
        for _ in range(KEPT + 2):
            assert (await http.get(site.orders)).text == "shop"
            site.issue("renewed")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_a_half_renewed_certificate_is_left_aside_until_its_key_is_there(site: Site) -> None:
    first = site.issue("half")
    certificate = site.certificate("half")
    next_one = leaf(site.root, SHOP, **PERIOD)
    replace_secret_file(site.served.folder / "half.pem", next_one.pem)
    assert certificate.current().thumbprint == first.thumbprint
    replace_secret_file(site.served.folder / "half.key", next_one.key_pem)
    assert certificate.current().thumbprint == next_one.thumbprint


def test_a_client_with_a_key_has_its_tokens_bound_to_the_certificate_beside_it(site: Site) -> None:
    served = site.served
    client = ClientAuth(
        issuer=served.issuer, client_id="orders-client", key=served.client_key, certificate=site.certificate("shop"),
        resource=ORDERS, origins=[site.orders],
    )  # fmt: skip
    with httpx2.Client(auth=client, transport=client.transport()) as http:
        assert http.get(site.orders).text == "orders-client"


def test_the_command_line_is_a_client_with_a_certificate(site: Site) -> None:
    folder = site.served.folder
    members = {"type": CLIENT_CERTIFICATE, "issuer": site.served.issuer, "client_id": "shop"}
    members |= {"certificate_file": "shop.pem", "private_key_file": "shop.key", "ca_file": "ca.pem"}
    (folder / "shop.json").write_text(json.dumps(members))
    token = site.served.ostiary("token", "get", "--client-file", "shop.json", "--resource", ORDERS).strip()
    assert token.count(".") == 2
    arguments = ("--client-file", "shop.json", "--resource", ORDERS, "--origin", site.orders)
    assert site.served.ostiary("curl", *arguments, site.orders) == "shop"


def test_a_certificate_that_names_nobody_gets_no_token(site: Site) -> None:
    auth = ClientAuth(
        issuer=site.served.issuer, client_id="shop", certificate=site.certificate("stranger"), resource=ORDERS,
        origins=[site.orders],
    )  # fmt: skip
    with httpx2.Client(auth=auth, transport=auth.transport()) as http, pytest.raises(TokenRequestRefused):
        http.get(site.orders)
    assert read_pem((site.served.folder / "stranger.pem").read_bytes())
