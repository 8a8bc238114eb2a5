"""A certificate is renewed under load: nobody is refused, no connection is dropped, every worker has the new one."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.real.loading import Callers
from tests.real.served import Served
from tests.serving.certificates import DAY, Issued, issue

pytestmark = pytest.mark.real

GET = b"GET /jwks HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("asked", [True, False], ids=["by-signal", "by-itself"])
def test_a_new_certificate_is_taken_under_load_without_one_failed_request(
    tmp_path: Path, workers: int, asked: bool
) -> None:
    root = issue("root", ca=True)
    served = _served(tmp_path, root, issue("first", root), workers)
    callers = Callers(served, count=4)
    with served.run() as process, _kept(served) as kept:
        callers.start()
        callers.wait_for(20)
        fresh = issue("second", root)
        fresh.write(tmp_path)
        if asked:
            process.send_signal(signal.SIGHUP)
        # Which worker answers is chance: so often in a row means both.
        _wait_until(lambda: all(_shown(served) == fresh.der for _ in range(12)))
        callers.wait_for(len(callers.answered) + 20)
        callers.end()
        assert (callers.lost, callers.refused) == ([], [])
        assert _asked(kept) == 200
        assert kept.getpeercert(binary_form=True) != fresh.der
        metrics = httpx2.get(f"{served.management}/metrics", trust_env=False).text
        expiry = f"{fresh.certificate.not_valid_after_utc.timestamp():.0f}"
        [line] = [one for one in metrics.splitlines() if one.startswith("ostiary_tls_certificate_expires_at{")]
        assert 'listener="main"' in line
        assert f"{float(line.split()[-1]):.0f}" == expiry
        assert process.stop() == 0
        assert "Traceback" not in process.output
    taken = json.loads(served.ostiary("audit", "list", "--tag", "tls_certificate:taken", "--format", "json"))
    assert len(taken) == workers


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_pair_is_refused_and_the_old_certificate_goes_on(tmp_path: Path, workers: int) -> None:
    root = issue("root", ca=True)
    first = issue("first", root)
    served = _served(tmp_path, root, first, workers)
    with served.run() as process:
        (tmp_path / "tls.key").write_bytes(issue("other", root).key_pem)
        process.send_signal(signal.SIGHUP)
        _wait_until(lambda: process.output.count("do not belong together") >= workers)
        assert {_shown(served) for _ in range(8)} == {first.der}
        served.token()
        assert process.stop() == 0
    refused = json.loads(served.ostiary("audit", "list", "--tag", "tls_certificate:refused", "--format", "json"))
    assert len(refused) == workers
    assert "do not belong together" in refused[0]["details"]["problem"]


def test_serve_does_not_start_with_an_expired_certificate(tmp_path: Path) -> None:
    root = issue("root", ca=True)
    served = _served(tmp_path, root, issue("old", root, ends=-DAY / 2), 1)
    with served.start() as process:
        assert process.wait(seconds=20) != 0
        assert "expired on" in process.output
        assert "renew it" in process.output
        assert "Traceback" not in process.output


def test_serve_warns_of_a_certificate_for_another_host(tmp_path: Path) -> None:
    root = issue("root", ca=True)
    served = _served(tmp_path, root, issue("other", root, hosts=["auth.example.org"]), 1)
    with served.start() as process:
        process.wait_for_line("is not for localhost, so clients will refuse it")


def _served(folder: Path, root: Issued, leaf: Issued, workers: int) -> Served:
    trust = ssl.create_default_context()
    trust.load_verify_locations(cadata=root.der)
    return Served(folder, workers=workers, certificate=leaf.write(folder), trust=trust)


def _kept(served: Served) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    if served.trust is None:
        raise ValueError("there is no TLS")
    kept = served.trust.wrap_socket(raw, server_hostname="localhost")
    assert _asked(kept) == 200
    return kept


def _asked(connection: ssl.SSLSocket) -> int:
    connection.sendall(GET)
    return int(connection.recv(65_536).split(b" ", 2)[1])


def _shown(served: Served) -> bytes | None:
    with _kept(served) as connection:
        return connection.getpeercert(binary_form=True)


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
