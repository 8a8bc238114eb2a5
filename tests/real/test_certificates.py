"""Certificates over real processes: files replaced under a reader, kill -9 of server and agent, the end of one."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ostiary.client.certificate_request import new_key, signing_request
from ostiary.protocol import base64url
from tests.real.dev_server import Dev, running_dev
from tests.real.served import Served, descendants, wait_until_gone
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real

KILLS = 20


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    with running_dev(tmp_path) as running:
        yield running


def enrolled(dev: Dev, life: str = "1h") -> Path:
    """A certificate by an enrolment token, with copies of key and certificate in files of their own."""
    dev.ostiary("cert", "enrol", "--profile", "server", "--dns", "localhost", "--life", life, "--token-file", "w.token")
    copies = ("--key-file", "web.key", "--certificate-file", "web.crt")
    dev.ostiary("cert", "request", "--issuer", dev.issuer, "--token-file", "w.token", "--out", "web.pem", *copies)
    return dev.folder / "web.pem"


def renewing(dev: Dev, *options: str) -> Process:
    return Process([sys.executable, "-m", "ostiary", "cert", "renew", "web.pem", *options], cwd=dev.folder)


def is_whole(text: bytes) -> bool:
    """Whether key and certificate in a file belong together."""
    leaf = x509.load_pem_x509_certificate(text)
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return load_pem_private_key(text, None).public_key().public_bytes(*form) == leaf.public_key().public_bytes(*form)


def serial_of(file: Path) -> str:
    return f"{x509.load_pem_x509_certificate(file.read_bytes()).serial_number:x}"


@dataclass(slots=True)
class Watcher:
    """Reads a file without a pause. seen: each content that it ever had; reads: how often it was read."""

    file: Path
    seen: set[bytes] = field(default_factory=set)
    reads: int = 0
    missing: int = 0
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watcher:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(10)

    def _read(self) -> None:
        while not self._end.is_set():
            try:
                self.seen.add(self.file.read_bytes())
            except FileNotFoundError:
                self.missing += 1
            self.reads += 1
            self._end.wait(0.0002)


def test_a_reader_never_sees_a_key_without_its_certificate(dev: Dev) -> None:
    """The daemon renews once by itself, after a third of a minute; then others renew as fast as they can."""
    file = enrolled(dev, "60s")
    first, hook = serial_of(file), f"{sys.executable} -c \"open('told', 'a').write('x')\""
    with Watcher(file) as watcher:
        with renewing(dev, "--daemon", "--reload", hook) as daemon:
            told = daemon.wait_for_line("renewed: serial", seconds=60)
            assert daemon.is_alive()
        assert serial_of(file) in told
        # Once at the start, for what a crash may have kept from its readers, and once after the renewal.
        assert (dev.folder / "told").read_text() == "xx"
        for _ in range(6):
            dev.ostiary("cert", "renew", "web.pem")
    assert watcher.missing == 0
    assert watcher.reads > 5_000
    assert len(watcher.seen) == 8
    assert all(is_whole(text) for text in watcher.seen)
    assert first != serial_of(file)
    assert (dev.folder / "web.crt").read_text() in file.read_text()


def test_an_agent_killed_between_the_files_is_mended_at_the_next_start(dev: Dev) -> None:
    file, key = enrolled(dev), dev.folder / "web.key"
    behind = 0
    for _ in range(KILLS):
        before = file.stat().st_ino
        with renewing(dev) as agent:
            while file.stat().st_ino == before and agent.is_alive():
                pass
            agent.kill_group()
        assert is_whole(file.read_bytes())
        if key.read_bytes() not in file.read_bytes():
            behind += 1
            break
    assert behind, "no kill came between the files"
    with renewing(dev, "--daemon") as agent:
        agent.wait_for_line("the copies were behind; they are written anew")
        deadline = time.monotonic() + 10
        while (dev.folder / "web.crt").read_text() not in file.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert key.read_bytes() in file.read_bytes()
    assert not list(dev.folder.glob("*.new"))


def test_a_revoked_certificate_does_not_renew_and_a_new_token_takes_its_place(dev: Dev) -> None:
    file = enrolled(dev)
    before = file.read_bytes()
    dev.ostiary("cert", "revoke", serial_of(file))
    dev.ostiary("cert", "renew", "web.pem", code=1)
    assert file.read_bytes() == before
    again = ("--profile", "server", "--dns", "localhost", "--token-file", "again.token")
    dev.ostiary("cert", "enrol", *again)
    request = ("cert", "request", "--issuer", dev.issuer, "--token-file", "again.token", "--out", "web.pem")
    dev.ostiary(*request, code=3)
    dev.ostiary(*request, "--replace")
    dev.ostiary("cert", "renew", "web.pem")


@dataclass(slots=True)
class Askers:
    """Callers that ask for certificates without a pause, each on a connection of its own. held: what they got."""

    served: Served
    held: list[x509.Certificate] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, count: int = 6) -> None:
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, answers: int, *, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while len(self.held) < answers:
            assert time.monotonic() < deadline, self.refused[:3]
            time.sleep(0.005)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        with self.served.http() as http:
            while True:
                csr = base64url.encode(signing_request(new_key(), Encoding.DER)).decode()
                try:
                    answer = http.post("/certificates", data=self.served.form() | {"csr": csr})
                except Exception:
                    return
                if answer.status_code != 201:
                    self.refused.append(answer.text)
                    return
                self.held.append(x509.load_pem_x509_certificate(answer.json()["certificate"].encode()))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_client_holds_is_in_the_inventory_after_kill_9_and_no_serial_is_there_twice(
    tmp_path: Path, workers: int
) -> None:
    """standards, attack 50: the CA's state survives kill -9 in the middle of an issuance."""
    served = Served(tmp_path, workers=workers)
    served.ostiary("ca", "init", "--name", "Example", "--permit-dns", "localhost")
    held: list[x509.Certificate] = []
    for _ in range(3):
        askers = Askers(served)
        with served.run() as process:
            askers.start()
            askers.wait_for(25)
            below = descendants(process.pid)
            for pid in (process.pid, *below):
                os.kill(pid, signal.SIGKILL)
            assert wait_until_gone([process.pid, *below]) == []
            askers.join()
        assert askers.refused == []
        held += askers.held
    with served.run():
        rows = json.loads(served.ostiary("cert", "list", "--all", "--limit", "1000", "--format", "json"))
        issued = served.ostiary("audit", "list", "--tag", "certificate:issued", "--limit", "1000", "--format", "json")
        served.ostiary("audit", "verify")
    inventory = {row["serial"]: row["certificate"].encode() for row in rows}
    assert len(inventory) == len(rows) == len(json.loads(issued)) >= len(held)
    assert len({one.serial_number for one in held}) == len(held)
    for one in held:
        assert inventory[f"{one.serial_number:x}"] == one.public_bytes(Encoding.PEM)
