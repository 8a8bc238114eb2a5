"""The second listener of ``ostiary serve``, as openssl and curl see it; the first one never asks for a certificate."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.real.served import Served
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process
from tests.serving.certificates import CLIENT, DAY, Issued, issue

pytestmark = pytest.mark.real


class Mtls:
    """An installation with both listeners, the second behind ``mtls_port``; ``ca`` issues the client certificates."""

    def __init__(self, folder: Path, *, workers: int = 1, behind_proxy: bool = False) -> None:
        self.folder = folder
        self.root, self.ca = issue("server root", ca=True), issue("client root", ca=True)
        (folder / "root.pem").write_bytes(self.root.chain)
        (folder / "clients.pem").write_bytes(self.ca.chain)
        certificate, key = issue("server", self.root, ends=90 * DAY, crl="http://localhost/server.crl").write(folder)
        trust = ssl.create_default_context()
        trust.load_verify_locations(cadata=self.root.der)
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        lines = [f"port = {self.port}", f'public_url = "{self.url}"', 'client_ca_files = ["clients.pem"]']
        if behind_proxy:
            lines += [f'tls_certificate_file = "{certificate}"', f'tls_private_key_file = "{key}"']
        files = None if behind_proxy else (certificate, key)
        self.served = Served(folder, workers=workers, certificate=files, trust=trust, settings={"mtls": lines})

    @contextmanager
    def run(self) -> Iterator[Process]:
        with self.served.run() as process:
            process.wait_for_port(self.port)
            yield process

    def client(self, **more: object) -> Issued:
        return issue("client", self.ca, **{"usages": [CLIENT], "hosts": [], **more})  # type: ignore[arg-type]

    def curl(self, url: str, *arguments: str, shown: Issued | None = None) -> subprocess.CompletedProcess[str]:
        command = ["curl", "--silent", "--show-error", "--cacert", str(self.folder / "root.pem"), *arguments]
        if shown is not None:
            certificate, key = shown.write(self.folder, "client")
            command += ["--cert", str(certificate), "--key", str(key)]
        return subprocess.run([*command, url], capture_output=True, text=True, timeout=30, check=False)

    def s_client(self, openssl: str, port: int, *arguments: str) -> str:
        """What ``openssl s_client`` says of one handshake."""
        command = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", *arguments]
        finished = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
        return finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def mtls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mtls]:
    both = Mtls(tmp_path_factory.mktemp("mtls"))
    with both.run():
        yield both


def test_only_the_second_listener_asks_for_a_certificate(mtls: Mtls, openssl: str) -> None:
    for version in ("-tls1_2", "-tls1_3"):
        assert "CertificateRequest" not in mtls.s_client(openssl, mtls.served.port, version, "-msg")
        assert "CertificateRequest" in mtls.s_client(openssl, mtls.port, version, "-msg")


def test_nobody_is_told_whom_we_trust(mtls: Mtls, openssl: str) -> None:
    assert "No client certificate CA names sent" in mtls.s_client(openssl, mtls.port)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused_at_both(mtls: Mtls, openssl: str, version: str) -> None:
    for port in (mtls.served.port, mtls.port):
        assert "alert protocol version" in mtls.s_client(openssl, port, version, "-cipher", "ALL:@SECLEVEL=0")


@pytest.mark.parametrize("cipher", ["AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM"])
def test_ciphers_without_forward_secrecy_or_without_gcm_are_refused(mtls: Mtls, openssl: str, cipher: str) -> None:
    said = mtls.s_client(openssl, mtls.served.port, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert "handshake failure" in said


def test_no_ticket_no_compression_and_no_renegotiation(mtls: Mtls, openssl: str) -> None:
    for version in ("-tls1_2", "-tls1_3"):
        said = mtls.s_client(openssl, mtls.port, version, "-msg", "-alpn", "h2,http/1.1")
        assert "NewSessionTicket" not in said
        assert "Compression: NONE" in said
        assert "ALPN protocol: http/1.1" in said
    command = [openssl, "s_client", "-connect", f"127.0.0.1:{mtls.served.port}", "-tls1_2"]
    finished = subprocess.run(command, input="R\n", capture_output=True, text=True, timeout=30, check=False)
    assert "no renegotiation" in finished.stdout + finished.stderr


def test_every_usual_group_is_spoken(mtls: Mtls, openssl: str) -> None:
    """The groups are OpenSSL's own; from 3.5 on the hybrid one is among them and comes first."""
    hybrid = ["X25519MLKEM768"] if ssl.OPENSSL_VERSION_INFO >= (3, 5) else []
    for group in ["X25519", "P-256", "P-384", *hybrid]:
        assert "Verification" in mtls.s_client(openssl, mtls.served.port, "-tls1_3", "-groups", group)


def test_the_metadata_names_the_aliases_and_they_answer(mtls: Mtls) -> None:
    """RFC 8705 section 5; standards 87"""
    found = mtls.curl(f"{mtls.served.issuer}/.well-known/oauth-authorization-server")
    document = json.loads(found.stdout)
    aliases = document["mtls_endpoint_aliases"]
    assert {"token_endpoint", "introspection_endpoint", "revocation_endpoint", "userinfo_endpoint"} <= set(aliases)
    assert "authorization_endpoint" not in aliases
    assert "jwks_uri" not in aliases
    for name, url in aliases.items():
        assert url == document[name].replace(document["issuer"], mtls.url)
    there = mtls.curl(f"{mtls.url}/.well-known/oauth-authorization-server")
    assert json.loads(there.stdout) == document
    form = [part for pair in mtls.served.form().items() for part in ("--data-urlencode", "=".join(pair))]
    for shown in (None, mtls.client()):
        form = [part for pair in mtls.served.form().items() for part in ("--data-urlencode", "=".join(pair))]
        assert "access_token" in mtls.curl(aliases["token_endpoint"], *form, shown=shown).stdout


@pytest.mark.parametrize("path", ["/authorize", "/sign-in", "/account", "/consent"])
def test_no_page_is_served_where_certificates_are_asked_for(mtls: Mtls, path: str) -> None:
    answer = json.loads(mtls.curl(f"{mtls.url}{path}").stdout)
    assert answer["error"] == "not_found"
    assert mtls.served.issuer in answer["error_description"]


def test_a_client_that_is_refused_at_the_door_is_told_and_recorded(tmp_path: Path) -> None:
    mtls = Mtls(tmp_path, workers=2, behind_proxy=True)
    with mtls.run() as process:
        url = f"{mtls.url}/jwks"
        assert '"keys"' in mtls.curl(url, shown=mtls.client()).stdout
        assert "alert certificate expired" in mtls.curl(url, shown=mtls.client(begins=-2 * DAY, ends=-DAY)).stderr
        stranger = issue("client", issue("stranger", ca=True), usages=[CLIENT], hosts=[])
        assert "alert unknown ca" in mtls.curl(url, shown=stranger).stderr
        metrics = httpx2.get(f"{mtls.served.management}/metrics", trust_env=False).text
        assert 'ostiary_tls_handshake_refused_total{listener="mtls",reason="certificate has expired"} 1.0' in metrics
        assert process.stop() == 0
        assert "Traceback" not in process.output
    listed = mtls.served.ostiary("audit", "list", "--tag", "client_certificate:refused", "--format", "json")
    problems = {row["details"]["problem"] for row in json.loads(listed)}
    assert problems == {"certificate has expired", "unable to get local issuer certificate"}


def test_a_sender_on_the_second_listener_cannot_choose_its_address(tmp_path: Path) -> None:
    """Behind a proxy X-Forwarded-For counts, but the second listener ends TLS itself, so there nobody else wrote it."""
    mtls = Mtls(tmp_path, behind_proxy=True)
    with mtls.run() as process:
        mtls.curl(f"{mtls.url}/token", "--data", "a=b", "--header", "X-Forwarded-For: 203.0.113.7")
        assert process.stop() == 0
    listed = mtls.served.ostiary("audit", "list", "--tag", "token:refused", "--format", "json")
    assert "203.0.113.7" not in listed
    assert "127.0.0.1" in listed or "::1" in listed
