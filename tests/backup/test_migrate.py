"""From SQLite to PostgreSQL nothing is lost, nothing ends, and nobody serves either of the two meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ostiary.backup import migrate
from ostiary.backup.databases import database
from ostiary.backup.filled import compare, summed
from ostiary.backup.make import COPIED
from ostiary.backup.shape import shapes
from ostiary.cli import main
from ostiary.errors import ConfigurationError
from ostiary.storage.base import UnitOfWork
from ostiary.storage.migrate import check, unfinished
from ostiary.storage.open import storage_for
from tests.backup.conftest import MakeRoom
from tests.backup.room import Room, quiet
from tests.contract.storage import examples

Empty = Callable[[str], str]


def migrated(here: Room, to: str) -> Room:
    migrate.sqlite_to_postgres(here.settings, to, clock=here.clock, progress=quiet)
    return replace(here, url=to)


def test_everything_is_there_and_goes_on_as_the_same_installation(room: MakeRoom, empty: Empty) -> None:
    here, now = room("sqlite"), 0
    now = int(here.clock())
    here.write(lambda work: work.replay.mark("a", "used", expires_at=now + 300, now=now))
    positions = here.write(lambda work: work.positions())
    there = migrated(here, empty("postgres"))

    async def look(work: UnitOfWork) -> None:
        assert await work.clients.get("billing") is not None
        assert await work.tokens.by_jti(examples.token().jti) is not None
        assert await work.artifacts.consume("bootstrap", b"d" * 32, now=now) is not None
        assert not await work.replay.mark("a", "used", expires_at=now + 300, now=now)
        assert await work.positions() == positions  # no new epoch: what was issued stays good

    there.write(look)
    there.seal()
    assert there.verify().good


def test_tables_and_checksums_are_those_of_the_source(room: MakeRoom, empty: Empty) -> None:
    here, to = room("sqlite"), empty("postgres")
    done = migrate.sqlite_to_postgres(here.settings, to, clock=here.clock, progress=quiet)
    with database(here.url).view() as view:
        source = summed(view, shapes(), COPIED, quiet)
    assert done.told == source
    assert source["audit_events"][0] > 0


@pytest.mark.parametrize(
    "harm",
    ["DELETE FROM apis", "UPDATE apis SET name = 'other'", "INSERT INTO counters VALUES ('default', 'new', 1)"],
)
def test_a_row_that_is_missing_changed_or_too_much_is_found(room: MakeRoom, empty: Empty, harm: str) -> None:
    here, to = room("sqlite"), empty("postgres")
    done = migrate.sqlite_to_postgres(here.settings, to, clock=here.clock, progress=quiet)
    untouched = [shape for shape in shapes() if shape.name in ("apis", "counters")]
    expected = {shape.name: done.told[shape.name] for shape in untouched}
    compare(database(to), untouched, expected, quiet)
    with psycopg.connect(to, autocommit=True) as connection:
        connection.execute(harm.encode())
    with pytest.raises(ConfigurationError, match="has not become what it was"):
        compare(database(to), untouched, expected, quiet)


def test_a_source_that_is_being_served_is_not_copied(room: MakeRoom, empty: Empty) -> None:
    here, to = room("sqlite"), empty("postgres")

    async def beside_a_server() -> None:
        storage = storage_for(here.url)
        await storage.open()
        try:
            with pytest.raises(ConfigurationError, match="being served"):
                await asyncio.to_thread(migrated, here, to)
        finally:
            await storage.close()

    asyncio.run(beside_a_server())
    assert "no Ostiary schema" in (check(to) or "")
    migrated(here, to)


def test_a_target_that_holds_something_is_left_alone(room: MakeRoom, empty: Empty, tmp_path: Path) -> None:
    here, elsewhere = room("sqlite"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    there = Room(elsewhere, empty("postgres"))
    there.fill()
    with pytest.raises(ConfigurationError, match="not empty"):
        migrated(here, there.url)
    assert there.write(lambda work: work.clients.get("billing")) is not None


def test_a_migration_that_is_killed_leaves_a_target_that_nobody_serves_and_begins_anew(
    room: MakeRoom, empty: Empty
) -> None:
    here, to = room("sqlite"), empty("postgres")
    [traces] = [shape for shape in shapes() if shape.name == "traces"]
    database(here.url).fill(traces, (("default", f"tr_{n}", "x" * 200, "{}", 2**40) for n in range(40_000)))
    code = (
        "import sys; from pathlib import Path; from tests.backup import test_migrate\n"
        "from tests.backup.room import Room\n"
        "test_migrate.migrated(Room(Path(sys.argv[1]), sys.argv[2]), sys.argv[3])"
    )
    command = [sys.executable, "-c", code, str(here.folder), here.url, to]
    process = os.posix_spawn(sys.executable, command, os.environ)
    while unfinished(to) is None:
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended before it had begun"
    os.kill(process, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    assert "half filled" in (check(to) or "")
    there = migrated(here, to)
    assert check(to) is None
    with database(there.url).view() as view:
        assert summed(view, [traces], {}, quiet)["traces"][0] == 40_001


def test_a_password_in_the_arguments_is_refused(room: MakeRoom, capsys: pytest.CaptureFixture[str]) -> None:
    here = room("sqlite")
    text = f'issuer = "https://a.example"\n[storage]\nurl = "{here.url}"\n[keys]\nkey_encryption_key_file = "kek"\n'
    (here.folder / "ostiary.toml").write_text(text)
    command = ["migrate", "sqlite-to-postgres", "--config", str(here.folder / "ostiary.toml")]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--to", "postgresql://u:secret@localhost/db"])
    assert ended.value.code == 3
    told = capsys.readouterr().err
    assert "secret" not in told
    assert "--to-file" in told


def test_the_command_takes_the_target_from_a_file_of_its_owner(
    room: MakeRoom, empty: Empty, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    here, to = room("sqlite"), empty("postgres")
    text = f'issuer = "https://a.example"\n[storage]\nurl = "{here.url}"\n[keys]\nkey_encryption_key_file = "kek"\n'
    (here.folder / "ostiary.toml").write_text(text)
    target = tmp_path / "target"
    target.touch(mode=0o600)
    target.write_text(to + "\n")
    command = ["migrate", "sqlite-to-postgres", "--config", str(here.folder / "ostiary.toml")]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--to-file", str(target)])
    assert not ended.value.code
    assert "clients" in capsys.readouterr().out
    assert check(to) is None
