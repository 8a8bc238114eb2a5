"""Sealing: one winner, no gap, nothing lost in a crash; the heads leave the database."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ostiary.audit.export import HeadsFile
from ostiary.errors import ConfigurationError
from ostiary.protocol.jwk import SigningKey
from ostiary.storage.sqlite import SqliteStorage
from tests.audit.log import Log


def test_sealing_an_empty_log_writes_nothing(log: Log) -> None:
    assert log.seal() == 0
    assert not log.heads.exists()


def test_every_row_gets_its_place_in_the_order_of_time(sealed: Log) -> None:
    rows = sealed.ask("SELECT segment, place FROM audit_events ORDER BY at, number")
    assert rows == [(1 + n // 4, n % 4) for n in range(10)]


def test_the_file_of_heads_is_readable_by_its_owner_alone(sealed: Log) -> None:
    assert sealed.heads.stat().st_mode & 0o777 == 0o600
    assert len(sealed.heads.read_text().splitlines()) == 3


def test_rows_of_many_writers_are_sealed_into_one_chain(log: Log) -> None:
    for _ in range(5):
        log.fill(3)
    log.seal()
    assert log.verify().good
    assert len(log.ask("SELECT DISTINCT writer FROM audit_events")) == 5


def test_of_two_processes_that_seal_at_once_one_wins_and_no_row_is_lost(log: Log) -> None:
    log.fill(40)

    async def race() -> list[int]:
        stores = [SqliteStorage(log.database) for _ in range(4)]
        for store in stores:
            await store.open()
        sealers = [log.sealer(store) for store in stores]
        sealed = await asyncio.gather(*(sealer.seal_segment() for sealer in sealers))
        while await sealers[0].seal_segment() or await sealers[1].seal_segment():
            pass
        await asyncio.gather(*(sealer.seal_all() for sealer in sealers))
        for store in stores:
            await store.close()
        return sealed

    assert sorted(asyncio.run(race())) == [0, 0, 0, 4]
    report = log.verify()
    assert report.good
    assert (report.rows, report.segments, report.not_exported) == (40, 10, 0)


def test_a_head_that_a_crash_kept_from_the_file_is_exported_by_the_next_round(log: Log) -> None:
    log.fill(6)
    log.seal(export=False)
    assert log.verify().not_exported == 2
    assert log.seal() == 0
    report = log.verify()
    assert report.good
    assert report.not_exported == 0


def test_a_line_torn_by_a_crash_is_followed_by_the_whole_one(sealed: Log) -> None:
    whole = sealed.heads.read_bytes()
    sealed.heads.write_bytes(whole[:-40])
    sealed.seal()
    assert sealed.heads.read_bytes().startswith(whole[:-40] + b"\n")
    assert sealed.verify().good


def test_a_database_older_than_the_file_is_not_sealed_over(log: Log, tmp_path: Path) -> None:
    log.fill(4)
    log.seal()
    log.copy_database(tmp_path / "backup")
    log.fill(4)
    log.seal()
    log.restore_database(tmp_path / "backup")
    log.fill(4)
    with pytest.raises(ConfigurationError, match="older copy"):
        log.seal()
    assert log.ask("SELECT count(*) FROM audit_segments") == [(1,)]


def test_a_chore_tells_a_lasting_fault_once(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    log.fill(2)
    log.heads.parent.mkdir()
    log.heads.mkdir()

    async def rounds(storage: SqliteStorage) -> None:
        sealer = log.sealer(storage)
        assert [await sealer.seal_once() for _ in range(3)] == [0, 0, 0]
        log.heads.rmdir()
        await sealer.seal_once()

    log.run(rounds)
    assert [record.levelname for record in caplog.records if record.name == "ostiary.audit"] == ["ERROR"]
    assert log.seal() == 0
    assert log.verify().good


def test_a_symbolic_link_is_not_followed(log: Log, tmp_path: Path) -> None:
    log.fill(1)
    log.heads.parent.mkdir()
    log.heads.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        log.seal()


def test_a_new_audit_key_goes_on_with_the_chain(sealed: Log) -> None:
    successor = SigningKey.generate("ES256")
    sealed.add_key(successor)
    sealed.fill(3)
    sealed.seal(successor)
    assert sealed.verify().good


def test_a_truncated_file_of_heads_is_found(sealed: Log) -> None:
    sealed.heads.write_text("".join(sealed.heads.read_text().splitlines(keepends=True)[:1]))
    sealed.now += 120
    assert sealed.found() == [("heads_missing", "segment 2")]


def test_a_removed_line_in_the_middle_of_the_file_is_found(sealed: Log) -> None:
    lines = sealed.heads.read_text().splitlines(keepends=True)
    sealed.heads.write_text(lines[0] + lines[2])
    sealed.now += 120
    assert sealed.found() == [("heads_missing", "segment 2")]


def test_an_altered_line_is_found(sealed: Log) -> None:
    lines = sealed.heads.read_text().splitlines(keepends=True)
    sealed.heads.write_text(lines[0] + lines[1].replace("a", "b") + lines[2])
    assert ("heads_damaged", "line 2") in sealed.found()


def test_two_lines_that_contradict_each_other_are_found(sealed: Log, tmp_path: Path) -> None:
    other = Log(tmp_path / "other")
    other.add_key(sealed.key)
    other.key = sealed.key
    other.fill(4)
    other.seal()
    with sealed.heads.open("a") as file:
        file.write(other.heads.read_text())
    assert ("heads_damaged", "line 4") in sealed.found()


def test_appending_twice_writes_once(sealed: Log) -> None:
    line = sealed.heads.read_text().splitlines()[2]
    assert HeadsFile(sealed.heads).append([(3, line)]) == 0


KILLED = """
import asyncio, sys
from pathlib import Path
from ostiary.protocol.jwk import SigningKey
from ostiary.storage.sqlite import SqliteStorage
from tests.audit.log import Log

async def main() -> None:
    log = Log.__new__(Log)
    log.database, log.heads = Path(sys.argv[1]), Path(sys.argv[2])
    log.key = SigningKey.from_pkcs8(Path(sys.argv[3]).read_bytes(), "ES256", None)
    log.now, log.rows_per_segment = 1_800_000_000, 3
    storage = SqliteStorage(log.database)
    await storage.open()
    sealer = log.sealer(storage)
    print("ready", flush=True)
    number = 0
    while True:
        for _ in range(20):
            number += 1
            async with storage.write() as work:
                await work.audit.append(log.event(number))
        await sealer.seal_all()

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [0.05, 0.17, 0.3])
def test_a_killed_process_leaves_a_chain_that_verifies(log: Log, tmp_path: Path, after: float) -> None:
    """Kill -9 in the middle of writing and sealing; whatever stands is whole, and the next process goes on."""
    key = tmp_path / "key"
    key.write_bytes(log.key.to_pkcs8())
    arguments = [sys.executable, "-c", textwrap.dedent(KILLED), str(log.database), str(log.heads), str(key)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert log.verify().good
    log.fill(2)
    assert log.seal() >= 2
    report = log.verify()
    assert report.good
    assert (report.unsealed, report.not_exported) == (0, 0)
    assert report.rows > 2
