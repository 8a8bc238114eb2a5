"""What relying parties do with a real server's CA: openssl and curl ask for lists and for single answers."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from tests.real.served import Served, descendants, wait_until_gone
from tests.real.served_ca import ServedCa
from tests.real_parts.scratch import CHECKOUT

pytestmark = pytest.mark.real


@dataclass
class Site:
    """A running server with its CA, and a folder for openssl."""

    served: Served
    ca: ServedCa
    folder: Path
    openssl: str

    def run(self, *arguments: str) -> str:
        """openssl; both streams."""
        ran = subprocess.run(
            [self.openssl, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=30, check=False
        )
        return ran.stdout + ran.stderr

    def status(self, name: str, *more: str) -> str:
        """What openssl learns by OCSP of one of its files."""
        asked = ["ocsp", *more, "-issuer", "issuing.pem", "-cert", name, "-url", f"{self.served.url}/ca/ocsp"]
        return self.run(*asked, "-CAfile", "root.pem")

    def list_of(self, authority_id: str) -> x509.CertificateRevocationList | None:
        with self.served.http() as http:
            answer = http.get(f"/ca/crl/{authority_id}.crl")
        return x509.load_der_x509_crl(answer.content) if answer.status_code == 200 else None

    def list_that_names(self, authority_id: str, serial: str) -> x509.CertificateRevocationList:
        """The first list in which a certificate stands. Raises AssertionError after ten seconds."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = self.list_of(authority_id)
            if found is not None and found.get_revoked_certificate_by_serial_number(int(serial, 16)) is not None:
                return found
            time.sleep(0.05)
        raise AssertionError("no list names it")


@pytest.fixture
def site(tmp_path: Path, openssl: str) -> Iterator[Site]:
    served = Served(tmp_path)
    with served.run():
        ca = ServedCa(served)
        ca.found()
        yield Site(served, ca, tmp_path, openssl)


def test_openssl_learns_by_ocsp_what_is_good_revoked_and_unknown(site: Site) -> None:
    good, bad = site.ca.issue(), site.ca.issue()
    site.ca.files(site.folder, good, bad)
    for name in ("0.pem", "1.pem"):
        answer = site.status(name)
        assert "Response verify OK" in answer
        assert f"{name}: good" in answer
        # With a nonce, as openssl asks by default; it would say so otherwise.
        assert "no nonce in response" not in answer
    site.ca.revoke(bad, "keyCompromise")
    for more in ((), ("-no_nonce",), ("-sha256",)):
        assert "0.pem: good" in site.status("0.pem", *more)
        answer = site.status("1.pem", *more)
        assert "1.pem: revoked" in answer
        assert "Reason: keyCompromise" in answer
    unknown = site.run(
        "ocsp", "-issuer", "issuing.pem", "-serial", "0x1234", "-url", f"{site.served.url}/ca/ocsp",
        "-CAfile", "root.pem",
    )  # fmt: skip
    assert "0x1234: unknown" in unknown


def test_openssl_gets_no_answer_for_a_foreign_issuer(site: Site) -> None:
    site.ca.files(site.folder, site.ca.issue())
    site.run(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Other",
        "-keyout", "other.key", "-out", "other.pem",
    )  # fmt: skip
    asked = site.run(
        "ocsp", "-issuer", "other.pem", "-cert", "0.pem", "-url", f"{site.served.url}/ca/ocsp", "-CAfile", "root.pem"
    )
    assert "unauthorized" in asked


def test_an_answer_by_get_is_the_one_that_openssl_takes(site: Site, curl: str) -> None:
    site.ca.files(site.folder, site.ca.issue())
    site.run("ocsp", "-issuer", "issuing.pem", "-cert", "0.pem", "-no_nonce", "-reqout", "request.der")
    text = base64.b64encode((site.folder / "request.der").read_bytes()).decode()
    escaped = text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    for form in (text, escaped):
        command = [curl, "-sS", "-D", "headers", "-o", "answer.der", f"{site.served.url}/ca/ocsp/{form}"]
        subprocess.run(command, cwd=site.folder, timeout=30, check=True)
        headers = (site.folder / "headers").read_text().lower()
        assert "content-type: application/ocsp-response" in headers
        assert "cache-control: max-age=300, public" in headers
        answer = site.run(
            "ocsp", "-issuer", "issuing.pem", "-cert", "0.pem", "-no_nonce", "-respin", "answer.der",
            "-CAfile", "root.pem",
        )  # fmt: skip
        assert "Response verify OK" in answer
        assert "0.pem: good" in answer


def test_a_revocation_is_in_the_list_within_moments_and_openssl_refuses_by_it(site: Site) -> None:
    good, bad = site.ca.issue(), site.ca.issue()
    site.ca.files(site.folder, good, bad)
    site.ca.revoke(bad)
    site.list_that_names(bad.record.authority_id, bad.record.serial)
    urls = [x509.load_der_x509_certificate(one) for one in (bad.record.certificate, bad.issuer)]
    with site.served.http() as http:
        for name, certificate in zip(("issuing", "root"), urls, strict=True):
            points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
            [url] = [one.value for one in points[0].full_name or []]
            (site.folder / f"{name}.crl").write_bytes(http.get(url.removeprefix(site.served.issuer)).content)
    verify = ["verify", "-x509_strict", "-crl_check_all", "-CAfile", "root.pem", "-untrusted", "issuing.pem"]
    verify += ["-CRLfile", "issuing.crl", "-CRLfile", "root.crl"]
    assert "0.pem: OK" in site.run(*verify, "0.pem")
    assert "certificate revoked" in site.run(*verify, "1.pem")


def test_the_numbers_of_the_lists_rise_for_good_over_kill_9(tmp_path: Path, openssl: str) -> None:
    served = Served(tmp_path)
    ca, numbers = ServedCa(served), []
    for turn in range(3):
        with served.run() as process:
            if turn == 0:
                ca.found()
            site = Site(served, ca, tmp_path, openssl)
            for _ in range(3):
                made = ca.issue()
                ca.revoke(made)
                found = site.list_that_names(made.record.authority_id, made.record.serial)
                numbers.append(found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
            # In the middle of the next one.
            ca.revoke(ca.issue())
            below = descendants(process.pid)
            for pid in (process.pid, *below):
                os.kill(pid, signal.SIGKILL)
            assert wait_until_gone(below) == []
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 9


def test_of_processes_that_sign_at_the_same_time_each_number_is_kept_once_and_nothing_is_lost(
    tmp_path: Path, openssl: str
) -> None:
    served, turns = Served(tmp_path), 25
    ca = ServedCa(served)
    with served.run():
        ca.found()
        site = Site(served, ca, tmp_path, openssl)
        authority_id = ca.issue().record.authority_id
        # Two more beside the server's own chore, on the same database.
        command = [sys.executable, "-m", "tests.real.list_signer", str(served.config), str(turns)]
        started = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        lines = [line.split() for process in started for line in process.communicate(timeout=120)[0].splitlines()]
        revoked = [words[1] for words in lines if words[0] == "revoked"]
        assert len(revoked) == 2 * turns
        last = site.list_that_names(authority_id, revoked[-1])
        for serial in revoked:
            last = site.list_that_names(authority_id, serial)
    kept = sum(int(words[1]) for words in lines if words[0] == "kept")
    # Each list that was kept took the next number: as many as were kept, here and by the server.
    assert kept <= last.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert kept > turns / 2
