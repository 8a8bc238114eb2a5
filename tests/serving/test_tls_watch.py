"""A new certificate in the files is taken for new handshakes; one that is not good is refused and told."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from ostiary.model.event import AuditEvent
from ostiary.serving.tls.certificate import ServerCertificate
from ostiary.serving.tls.listener import ListenerTls
from ostiary.serving.tls.watch import CertificateFiles, CertificateWatch
from tests.serving.certificates import DAY, NOW, Issued, issue


class Watched:
    """A watch over the files of a folder, with a clock and an audit log of its own."""

    def __init__(self, folder: Path, first: Issued) -> None:
        self.now = NOW.timestamp()
        self.events: list[AuditEvent] = []
        self.files = CertificateFiles(*first.write(folder))
        self.listener = ListenerTls("main", self.files.read(self.now))
        self.watch = CertificateWatch(self.files, [self.listener], self._record, lambda: self.now)

    async def _record(self, event: AuditEvent) -> None:
        self.events.append(event)

    @property
    def shown(self) -> ServerCertificate:
        return self.listener.certificate

    def look(self, times: int = 2) -> list[str]:
        """Look so often; the tags of what was recorded."""

        async def looks() -> None:
            for _ in range(times):
                await self.watch.look()

        asyncio.run(looks())
        return [event.tag for event in self.events]


def test_a_new_pair_is_taken_once_it_has_stood_still(tmp_path: Path) -> None:
    watched, fresh = Watched(tmp_path, issue("first")), issue("second")
    before = asyncio.run(watched.listener.context())
    fresh.write(tmp_path)
    assert watched.look(1) == []
    assert watched.look(1) == ["tls_certificate:taken"]
    assert watched.shown.leaf == fresh.certificate
    assert watched.events[0].target == watched.shown.thumbprint
    assert asyncio.run(watched.listener.context()) is not before


def test_half_a_pair_is_not_complained_of_while_the_other_half_is_on_its_way(tmp_path: Path) -> None:
    watched, fresh = Watched(tmp_path, issue("first")), issue("second")
    watched.files.key.write_bytes(fresh.key_pem)
    assert watched.look(1) == []
    watched.files.certificate.write_bytes(fresh.chain)
    assert watched.look(2) == ["tls_certificate:taken"]


def test_a_pair_that_does_not_belong_together_is_refused_and_the_old_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(tmp_path, issue("first"))
    before, context = watched.shown, asyncio.run(watched.listener.context())
    watched.files.key.write_bytes(issue("other").key_pem)
    assert watched.look(4) == ["tls_certificate:refused"]
    assert "do not belong together" in watched.events[0].details["problem"]
    assert watched.events[0].target == str(watched.files.certificate)
    assert "the certificate in use stays" in caplog.text
    assert watched.shown is before
    assert asyncio.run(watched.listener.context()) is context


def test_after_a_bad_pair_a_good_one_is_taken(tmp_path: Path) -> None:
    watched, fresh = Watched(tmp_path, issue("first")), issue("second")
    watched.files.certificate.unlink()
    watched.look()
    fresh.write(tmp_path)
    assert watched.look() == ["tls_certificate:refused", "tls_certificate:taken"]


def test_an_expired_one_is_not_taken(tmp_path: Path) -> None:
    watched = Watched(tmp_path, issue("first"))
    issue("second", ends=-DAY / 2).write(tmp_path)
    assert watched.look() == ["tls_certificate:refused"]


def test_files_that_were_only_touched_change_nothing(tmp_path: Path) -> None:
    watched = Watched(tmp_path, issue("first"))
    context = asyncio.run(watched.listener.context())
    os.utime(watched.files.certificate, (1, 1))
    assert watched.look(3) == []
    assert asyncio.run(watched.listener.context()) is context


def test_asked_to_reload_it_does_not_wait(tmp_path: Path) -> None:
    watched, fresh = Watched(tmp_path, issue("first")), issue("second")
    fresh.write(tmp_path)
    asyncio.run(watched.watch.reload())
    assert watched.shown.leaf == fresh.certificate


def test_a_certificate_in_the_last_third_of_its_life_is_warned_of_once_a_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(tmp_path, issue("first", begins=-DAY, ends=29 * DAY))
    caplog.set_level(logging.WARNING)
    watched.look(3)
    assert "expires on" not in caplog.text
    watched.now = (NOW + 20 * DAY).timestamp()
    watched.look(3)
    assert caplog.text.count("expires on") == 1
    watched.now = (NOW + 21 * DAY).timestamp()
    watched.look(3)
    assert caplog.text.count("expires on") == 2
