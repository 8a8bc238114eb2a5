"""nginx ends mutual TLS in front of an API: the files of the guide, with tokens that are bound to certificates."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE, S_ISSOCK

import httpx2
import pytest
import trustme

from ostiary.trace_sinks import MemorySink
from tests.docs.commands import blocks_of
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process
from tests.real_parts.system_packages import system_program
from tests.resource_server.certificates import authority, bound_to, der, escaped, issued
from tests.resource_server.issuer_server import running_issuer
from tests.resource_server.test_mutual_tls import caller
from tests.resource_server.world import Clock, World

pytestmark = pytest.mark.real

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "mtls-in-front-of-nginx.md"
API = "https://localhost:8000"
SHOP, SIBLING, NGINX, ORDERS = "shop", "sibling", "nginx", "orders.internal"
HEADER = "X-SSL-Client-Cert"
LINE = f"proxy_set_header {HEADER} $ssl_client_escaped_cert;"


def of_guide(language: str, name: str) -> str:
    """The block of the guide that holds ``name``."""
    return next(block.text for block in blocks_of(GUIDE) if block.language == language and name in block.text)


def nginx_conf() -> str:
    found = re.search(r"<<'NGINX'\n(.*?)^NGINX$", of_guide("sh", "nginx.conf <<"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise AssertionError("the guide has no nginx.conf")
    return found[1]


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """``text`` with each first half in the place of which the second stands; each must be there."""
    for old, new in pairs:
        assert old in text, f"the guide no longer has {old!r}"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Door:
    """nginx at ``url`` in front of an API. api: where that listens itself, empty for a Unix socket."""

    url: str
    plain_url: str
    api: str
    world: World

    def get(self, name: str | None, *headers: tuple[str, str], token: str = "") -> int:
        """The status for a caller with the certificate ``name``, with a token that is bound to SHOP's."""
        with caller(name) as client:
            return client.get(f"{self.url}/orders", headers=self._headers(token, headers)).status_code

    def get_plain(self, *headers: tuple[str, str]) -> int:
        """The same over plain http."""
        with httpx2.Client(trust_env=False) as client:
            return client.get(f"{self.plain_url}/orders", headers=self._headers("", headers)).status_code

    def _headers(self, token: str, headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        bearer = f"Bearer {token or self.world.token(aud=API, **bound_to(SHOP))}"
        return [("Authorization", bearer), *headers]


@contextmanager
def running(folder: Path, server: list[str], configuration: str, api: str = "") -> Iterator[Door]:
    """``server`` (arguments of python) and nginx as the guide starts them, and the plain port that it warns of."""
    port, plain = free_port(), free_port()
    upstream = re.search(r"proxy_pass .*?;", configuration)
    assert upstream is not None
    second = f"server {{ listen {plain}; location / {{ {upstream[0]} {LINE} }} }}"
    configuration = replaced(configuration, ("listen 8000", f"listen {port}"), ("http {\n", f"http {{\n  {second}\n"))
    (folder / "nginx.conf").write_text(configuration)
    authority().cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("localhost", ORDERS, NGINX):
        issued(name).cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        issued(name).private_key_pem.write_to_path(str(folder / f"{name}.key"))
    nginx = [system_program("nginx"), "-p", ".", "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
    with ExitStack() as parts:
        issuer = parts.enter_context(running_issuer())
        environment = {"OSTIARY_ISSUER": issuer.issuer, "OSTIARY_AUDIENCE": API, "OSTIARY_REVOCATION": "until_expiry"}
        process = parts.enter_context(Process([sys.executable, *server], cwd=folder, environment=environment))
        process.wait_for_line("running on")
        parts.enter_context(Process(nginx, cwd=folder)).wait_for_port(port)
        world = World(issuer, Clock(), MemorySink(), folder)
        yield Door(f"https://localhost:{port}", f"http://localhost:{plain}", api, world)


@contextmanager
def by_unix_socket(folder: Path) -> Iterator[Door]:
    """The guide's first part."""
    (folder / "app.py").write_text(of_guide("python", "# app.py"))
    subprocess.run(["sh", "-ec", of_guide("sh", "mkdir")], cwd=folder, check=True)
    server = ["-m", "uvicorn", "app:app", "--uds", "run/api.sock", "--no-proxy-headers"]
    with running(folder, server, nginx_conf()) as started:
        yield started


@contextmanager
def by_mutual_tls(folder: Path) -> Iterator[Door]:
    """nginx on another machine, as the guide has it."""
    port = free_port()
    fingerprint = ":".join(f"{octet:02X}" for octet in sha256(der(NGINX)).digest())
    own = (("UnixSocket()", f'ProxyCertificate("{fingerprint}")'), ("UnixSocket", "ProxyCertificate"))
    (folder / "app.py").write_text(replaced(of_guide("python", "# app.py"), *own))
    places = (('host="0.0.0.0"', 'host="127.0.0.1"'), ("8443", str(port)))
    (folder / "serve.py").write_text(replaced(of_guide("python", "# serve.py"), *places))
    location = replaced(of_guide("nginx", "proxy_ssl_verify"), (f"{ORDERS}:8443", f"127.0.0.1:{port}"))
    configuration = re.sub(r"    location / \{.*?\n    \}\n", lambda _: location, nginx_conf(), flags=re.DOTALL)
    with running(folder, ["serve.py"], configuration, api=f"https://127.0.0.1:{port}") as started:
        yield started


@pytest.fixture(scope="module", params=[by_unix_socket, by_mutual_tls], ids=lambda way: str(way.__name__))
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The guide's two ways in which nginx proves itself to the API."""
    with request.param(tmp_path_factory.mktemp("nginx")) as started:
        yield started


def test_a_bound_token_passes_with_its_certificate_alone(door: Door) -> None:
    """standards 79, 84."""
    assert door.get(SHOP) == 200
    assert door.get(SIBLING) == 401
    assert door.get(None) == 401
    assert door.get(SHOP, token=door.world.token(aud=API)) == 401


@pytest.mark.parametrize("spelled", [HEADER, HEADER.lower(), HEADER.upper(), HEADER.replace("-", "_")])
def test_what_a_client_sends_as_a_certificate_never_reaches_the_api(door: Door, spelled: str) -> None:
    """attack 36; standards 83: on every listener, plain http too."""
    forged = (spelled, escaped(SHOP))
    assert door.get(SIBLING, forged) == 401
    assert door.get(None, forged) == 401
    assert door.get(None, forged, forged) == 401
    assert door.get_plain(forged) == 401
    # Nor does it harm a client with the right certificate.
    assert door.get(SHOP, (spelled, escaped(SIBLING))) == 200


def test_a_client_that_found_the_api_itself_is_not_nginx(tmp_path: Path) -> None:
    """With a certificate that the API's own TLS layer trusts, and the header that nginx would send."""
    with by_mutual_tls(tmp_path) as door, caller(SHOP) as client:
        bearer = {"Authorization": f"Bearer {door.world.token(aud=API, **bound_to(SHOP))}"}
        headers, named = {**bearer, HEADER: escaped(SHOP)}, {"sni_hostname": ORDERS}
        answer = client.get(f"{door.api}/orders", headers=headers, extensions=named)
    assert answer.status_code == 401


def test_the_socket_that_proves_nginx_is_out_of_reach_for_other_users(tmp_path: Path) -> None:
    """uvicorn lets everybody write to its socket, so the folder must not let them through."""
    with by_unix_socket(tmp_path):
        socket = tmp_path / "run" / "api.sock"
        assert S_ISSOCK(socket.stat().st_mode)
        assert not S_IMODE(socket.parent.stat().st_mode) & 0o077


def test_a_certificate_of_another_authority_gets_no_further_than_nginx(door: Door) -> None:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    trustme.CA().issue_cert(SHOP).configure_cert(context)
    with httpx2.Client(verify=context, trust_env=False) as client:
        assert client.get(f"{door.url}/orders").status_code == 400
