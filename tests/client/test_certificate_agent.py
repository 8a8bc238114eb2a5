"""The renewal agent: when, what it leaves behind when something fails, and whom it tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.client.certificate_agent import RenewalAgent, command
from ostiary.client.certificate_file import CertificateFile
from ostiary.client.certificate_request import IssuedCertificate, new_key
from ostiary.client.exchange import Shell
from ostiary.errors import ConfigurationError, Unavailable
from tests.authorization_server.world import ISSUER, World
from tests.certificate_authority.authority import Ca, certificate_authority

DAY = 86_400


class LocalShell(Shell):
    """Instead of the way to the server: its CA itself, or a fault."""

    def __init__(self, ca: Ca) -> None:
        super().__init__()
        self.ca = ca
        self.faults: list[Exception] = []

    def run(self, exchange: Any) -> Any:
        exchange.close()
        if self.faults:
            raise self.faults.pop(0)
        return issued(self.ca)


def issued(ca: Ca) -> IssuedCertificate:
    key = new_key()
    prepared = ca.prepare("client", key=key)
    return IssuedCertificate(ISSUER, key, prepared.chain_pem().decode(), ca.root_pem().decode())


@pytest.fixture
def ca(tmp_path: Path) -> Iterator[Ca]:
    (tmp_path / "world").mkdir()
    world = World(tmp_path / "world")
    yield certificate_authority(world)
    world.close()


class Watched:
    """An agent whose waiting moves the CA's clock."""

    def __init__(self, ca: Ca, folder: Path, **changes: Any) -> None:
        self.ca, self.folder = ca, folder
        self.told: list[str] = []
        self.waited: list[float] = []
        self.shell = LocalShell(ca)
        files = CertificateFile(folder / "c.pem", folder / "key.pem", folder / "chain.pem", folder / "roots.pem")
        files.save(issued(ca))
        clock = ca.world.clock
        self.agent = RenewalAgent(
            files,
            shell=self.shell,
            tell=self.told.append,
            clock=clock,
            sleep=self._sleep,
            spread=lambda _: 0,
            **changes,
        )

    def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.ca.world.clock.now += seconds


def test_it_renews_at_two_thirds_of_the_life(ca: Ca, tmp_path: Path) -> None:
    watched, begun = Watched(ca, tmp_path), ca.world.clock.now
    before = watched.agent.file.load()
    watched.agent.run(rounds=1)
    assert sum(watched.waited) == pytest.approx(DAY * 2 / 3, abs=60)
    assert ca.world.clock.now == pytest.approx(begun + DAY * 2 / 3, abs=60)
    after = watched.agent.file.load()
    assert after.thumbprint != before.thumbprint
    assert after.key_pem() != before.key_pem()
    assert (tmp_path / "key.pem").read_bytes() == after.key_pem()
    assert (tmp_path / "chain.pem").read_text() == after.chain
    assert (tmp_path / "roots.pem").read_bytes() == ca.root_pem()


def test_a_failure_keeps_the_present_files_and_is_tried_again_before_the_end(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path)
    watched.shell.faults = [Unavailable("renewal endpoint") for _ in range(12)]
    before = (tmp_path / "c.pem").read_bytes()
    end = watched.agent.file.load().leaf.not_valid_after_utc.timestamp()
    seen: list[bytes] = []
    watched.agent.tell = lambda text: seen.append((tmp_path / "c.pem").read_bytes())
    watched.agent.run(rounds=1)
    assert seen[:12] == [before] * 12
    assert seen[12] != before
    assert ca.world.clock.now < end


def test_the_reload_command_runs_after_the_files_are_there(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path, reload=["cp", str(tmp_path / "c.pem"), str(tmp_path / "seen.pem")])
    watched.agent.run(rounds=1)
    assert (tmp_path / "seen.pem").read_bytes() == (tmp_path / "c.pem").read_bytes()


@pytest.mark.parametrize("reload", [["false"], ["/no/such/program"]])
def test_a_reload_command_that_fails_is_told_and_changes_nothing(ca: Ca, tmp_path: Path, reload: list[str]) -> None:
    watched = Watched(ca, tmp_path, reload=reload)
    watched.agent.run(rounds=1)
    assert any("reload" in text for text in watched.told)
    assert any("renewed" in text for text in watched.told)


def test_a_reload_command_that_failed_is_tried_again_until_it_works(ca: Ca, tmp_path: Path) -> None:
    # It works once the folder is there; nothing is renewed meanwhile.
    target = tmp_path / "later" / "seen.pem"
    watched = Watched(ca, tmp_path, reload=["cp", str(tmp_path / "c.pem"), str(target)])
    wait = watched.agent.sleep

    def make_the_folder(seconds: float) -> None:
        if len(watched.told) == 3:
            target.parent.mkdir(exist_ok=True)
        wait(seconds)

    watched.agent.sleep = make_the_folder
    watched.agent.run(rounds=1)
    assert len([text for text in watched.told if "reload" in text]) == 3
    assert watched.waited[:3] == [10.0, 20.0, 40.0]
    assert target.read_bytes() == (tmp_path / "c.pem").read_bytes()


def test_whoever_reads_the_files_is_told_at_the_start(ca: Ca, tmp_path: Path) -> None:
    """A crash may have come between the last renewal and that."""
    watched = Watched(ca, tmp_path, reload=["cp", str(tmp_path / "c.pem"), str(tmp_path / "seen.pem")])
    watched.agent.run(rounds=0)
    assert (tmp_path / "seen.pem").read_bytes() == (tmp_path / "c.pem").read_bytes()


def test_a_timer_that_has_nothing_to_do_tells_nobody(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path, reload=["cp", str(tmp_path / "c.pem"), str(tmp_path / "seen.pem")])
    watched.agent.mend()
    assert not watched.agent.is_due()
    assert not (tmp_path / "seen.pem").exists()


def test_copies_that_a_crash_left_behind_are_written_anew_at_the_start(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path)
    (tmp_path / "key.pem").write_bytes(b"of the certificate before")
    watched.agent.run(rounds=0)
    assert (tmp_path / "key.pem").read_bytes() == watched.agent.file.load().key_pem()


def test_what_a_crash_left_half_written_is_removed_at_the_start_and_nothing_else(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path)
    left = [tmp_path / f"{name}.0123abcd.new" for name in ("c.pem", "c.pem.issuer", "key.pem", "chain.pem")]
    others = [tmp_path / name for name in ("c.pem.new", "other.pem.0123abcd.new", "c.pem.old.0123abcd.new")]
    for file in (*left, *others):
        file.write_bytes(b"half a key")
    watched.agent.run(rounds=0)
    assert [file.exists() for file in left] == [False] * 4
    assert [file.exists() for file in others] == [True] * 3


def test_a_file_remembers_its_copies(ca: Ca, tmp_path: Path) -> None:
    file = Watched(ca, tmp_path).agent.file
    assert CertificateFile(file.path).with_its_copies() == file
    other = CertificateFile(file.path, key_file=tmp_path / "other.pem").with_its_copies()
    assert (other.key_file, other.certificate_file) == (tmp_path / "other.pem", file.certificate_file)


def test_a_certificate_that_ended_ends_the_agent(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path)
    end = watched.agent.file.load().leaf.not_valid_after_utc.timestamp()
    watched.shell.faults = [Unavailable("renewal endpoint") for _ in range(100)]
    with pytest.raises(Unavailable):
        watched.agent.run()
    assert end <= ca.world.clock.now < end + 60


def test_a_file_that_somebody_else_renewed_is_not_renewed_again(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path)
    begun, wait = ca.world.clock.now, watched.agent.sleep
    replaced: list[float] = []

    def sleep(seconds: float) -> None:
        wait(seconds)
        if not replaced and ca.world.clock.now > begun + DAY / 2:
            replaced.append(ca.world.clock.now)
            watched.agent.file.save(issued(ca))

    watched.agent.sleep = sleep
    watched.agent.run(rounds=1)
    assert ca.world.clock.now == pytest.approx(replaced[0] + DAY * 2 / 3, abs=60)


def test_it_is_due_at_two_thirds_and_not_before(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path)
    due = watched.agent.due_at(watched.agent.file.load())
    ca.world.clock.now = due - 1
    assert not watched.agent.is_due()
    ca.world.clock.now = due
    assert watched.agent.is_due()


def test_a_file_that_is_not_whole_is_refused_with_the_mend(ca: Ca, tmp_path: Path) -> None:
    watched = Watched(ca, tmp_path)
    file, one, other = watched.agent.file, issued(ca), issued(ca)
    file.path.write_bytes(one.key_pem() + other.chain.encode())
    with pytest.raises(ConfigurationError, match="not that of its certificate"):
        file.load()
    file.path.write_bytes(one.key_pem())
    with pytest.raises(ConfigurationError, match="key and its certificate"):
        file.load()
    file.save(one)
    (tmp_path / "c.pem.issuer").unlink()
    with pytest.raises(ConfigurationError, match="from whom"):
        file.load()


def test_a_command_is_split_as_a_shell_would_and_no_shell_runs_it() -> None:
    assert command("systemctl reload 'my nginx'; rm x") == ["systemctl", "reload", "my nginx;", "rm", "x"]
    with pytest.raises(ConfigurationError, match="--reload"):
        command("'")
