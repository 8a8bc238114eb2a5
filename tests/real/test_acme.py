"""Clients that people already have, unmodified, get and renew certificates at our directory: certbot and lego."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.real.acme_directory import NAMES, AcmeDirectory, acme_directory
from tests.real_parts.certbot import certbot
from tests.real_parts.system_packages import system_program

pytestmark = pytest.mark.real

HOOK = """#!/bin/sh
# lego's "exec" provider: present|cleanup, the record's name with a dot at its end, the value
case "$1" in
present) echo "$3" >> "texts/${2%.}" ;;
cleanup) rm -f "texts/${2%.}" ;;
esac
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[AcmeDirectory]:
    with acme_directory(tmp_path) as made:
        yield made


def names_in(file: Path) -> list[str]:
    leaf = x509.load_pem_x509_certificates(file.read_bytes())[0]
    return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


def test_certbot_gets_renews_and_revokes_by_http_01(directory: AcmeDirectory, openssl: Path) -> None:
    directory.credential()
    folders = [part for name in ("config", "work", "logs") for part in (f"--{name}-dir", f"certbot-{name}")]
    common: list[str | Path] = [certbot(), "--config", "eab.ini", *folders, "--non-interactive"]
    domains = [part for name in NAMES for part in ("-d", name)]
    obtain = ["certonly", "--standalone", "--http-01-port", str(directory.http_port), "--agree-tos", "-m",
              "ops@example.com", *domains]  # fmt: skip
    directory.run(*common, *obtain)
    live = directory.folder / "certbot-config" / "live" / NAMES[0]
    assert names_in(live / "cert.pem") == list(NAMES)
    for name in NAMES:
        directory.verify(live / "cert.pem", live / "chain.pem", name, openssl)
    first = (live / "cert.pem").read_bytes()

    renew = ["renew", "--no-random-sleep-on-renew", "--http-01-port", str(directory.http_port)]
    said = directory.run(*common, *renew)
    assert "not due for renewal" in said or "not yet due" in said
    directory.run(*common, *renew, "--force-renewal")
    assert (live / "cert.pem").read_bytes() != first
    directory.verify(live / "cert.pem", live / "chain.pem", NAMES[0], openssl)

    directory.run(
        *common, "revoke", "--cert-path", live / "cert.pem", "--reason", "superseded", "--no-delete-after-revoke"
    )
    states = sorted(str(row["state"]) for row in directory.certificates())
    assert states == ["revoked", "valid"]


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01", "dns-01"])
def test_lego_gets_and_renews(directory: AcmeDirectory, openssl: Path, kind: str) -> None:
    credential = directory.credential()
    hook = directory.folder / "hook.sh"
    hook.write_text(HOOK)
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    ways = {
        "http-01": ["--http", "--http.port", f"127.0.0.1:{directory.http_port}"],
        "tls-alpn-01": ["--tls", "--tls.port", f"127.0.0.1:{directory.tls_port}"],
        "dns-01": ["--dns", "exec", "--dns.disable-cp", "--dns.resolvers", f"127.0.0.1:{directory.dns_port}"],
    }
    common = [system_program("lego"), "--server", directory.url, "--accept-tos", "--email", "ops@example.com",
              "--path", "lego", "--eab", "--kid", credential["eab-kid"], "--hmac", credential["eab-hmac-key"],
              *(part for name in NAMES for part in ("--domains", name)), *ways[kind]]  # fmt: skip
    environment = {
        "EXEC_PATH": str(hook),
        "EXEC_POLLING_INTERVAL": "1",
        "EXEC_PROPAGATION_TIMEOUT": "5",
        "EXEC_SEQUENCE_INTERVAL": "1",
    }
    directory.run(*common, "run", environment=environment)
    place = directory.folder / "lego" / "certificates"
    certificate, issuer = place / f"{NAMES[0]}.crt", place / f"{NAMES[0]}.issuer.crt"
    assert names_in(certificate) == list(NAMES)
    directory.verify(certificate, issuer, NAMES[1], openssl)
    first = certificate.read_bytes()
    directory.run(*common, "renew", "--days", "9999", "--no-random-sleep", environment=environment)
    assert certificate.read_bytes() != first
    directory.verify(certificate, issuer, NAMES[0], openssl)
    assert [row["owner"] for row in directory.certificates()] == ["ops", "ops"]
    assert list((directory.folder / "texts").iterdir()) == []


def test_lego_is_refused_a_name_that_its_credential_does_not_permit(directory: AcmeDirectory) -> None:
    credential = directory.credential()
    said = directory.run(
        system_program("lego"), "--server", directory.url, "--accept-tos", "--email", "ops@example.com",
        "--path", "lego", "--eab", "--kid", credential["eab-kid"], "--hmac", credential["eab-hmac-key"],
        "--domains", "www.example.org", "--http", "--http.port", f"127.0.0.1:{directory.http_port}", "run", code=1,
    )  # fmt: skip
    assert "rejectedIdentifier" in said
    assert "ostiary acme eab create --dns" in said
