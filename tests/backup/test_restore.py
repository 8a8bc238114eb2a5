"""A restore brings back what the backup holds, ends what was issued before, and never begins a past a second time."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from ostiary.backup.databases import database
from ostiary.backup.file import Header, sealing, write
from ostiary.backup.shape import Shape, shapes
from ostiary.errors import ConfigurationError
from ostiary.model.revocation import EPOCH
from ostiary.storage.base import MarksLost, UnitOfWork
from ostiary.storage.filling import begin_filling
from ostiary.storage.migrate import HEAD, check, unfinished
from ostiary.storage.open import storage_for
from tests.backup.conftest import KINDS, MakeRoom
from tests.backup.room import Room, quiet
from tests.contract.storage import examples

Empty = Callable[[str], str]
TRACE = json.dumps(msgspec.to_builtins(examples.trace()))


@pytest.mark.parametrize("into", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_of_either_database_restores_into_either(room: MakeRoom, empty: Empty, kind: str, into: str) -> None:
    here = room(kind)
    path = here.backup()
    there = replace(here, url=empty(into))
    done = there.restore(path)
    assert done.ended.grants == 1

    async def look(work: UnitOfWork) -> None:
        found = await work.clients.get("billing")
        assert found == examples.client(name="Rechnungen ☕ \" \\ 'quoted'", secret_digest=b"\x00\xff'\\")
        for grant_id, stands in (("g1", True), ("gr_user", False)):
            grant = await work.grants.get(grant_id)
            assert grant is not None
            assert grant.stands(0) is stands
        assert await work.revocations.ends(examples.token("other", rev=2**40))
        assert await work.setting("installation_id") == done.contents.header.installation
        now = int(there.clock())
        with pytest.raises(MarksLost):
            await work.replay.mark("a", "j", expires_at=now + 60, now=now, usable_from=now - 1)

    there.write(look)
    there.seal()
    report = there.verify()
    assert report.good, report.findings
    assert report.restores == []  # nothing was lost: nothing was sealed after the backup


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_issued_after_the_first_restore_ends_with_the_second_one_of_the_same_backup(
    room: MakeRoom, empty: Empty, kind: str
) -> None:
    """Both begin with the same counters; epochs are numbered by the clock."""
    here = room(kind)
    path, begins = here.backup(), []
    for later in (0, 2):
        there = replace(here, url=empty(kind), now=later)
        begins.append(there.restore(path).ended.epoch * EPOCH)
        positions = there.write(lambda work: work.positions())
        assert positions.revocation == begins[-1]
        assert positions.registry >= begins[-1]
    assert begins[1] > begins[0] + 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_is_not_empty_is_replaced_only_if_that_is_meant(room: MakeRoom, kind: str) -> None:
    here = room(kind)
    path = here.backup()
    here.write(lambda work: work.clients.add(examples.client("later", grant_id="g2")))
    with pytest.raises(ConfigurationError, match="--replace"):
        here.restore(path)
    assert here.write(lambda work: work.clients.get("later")) is not None
    done = here.restore(path, replace=True)
    assert here.write(lambda work: work.clients.get("later")) is None
    if kind == "sqlite":
        assert done.kept is not None
        kept = replace(here, url=f"sqlite:///{done.kept}")
        assert kept.write(lambda work: work.clients.get("later")) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_somebody_has_open_is_left_alone(room: MakeRoom, kind: str) -> None:
    here = room(kind)
    path = here.backup()

    async def beside_a_server() -> None:
        storage = storage_for(here.url)
        await storage.open()
        try:
            await storage.positions()
            with pytest.raises(ConfigurationError, match="in use"):
                await asyncio.to_thread(here.restore, path, replace=True)
            assert await storage.positions()
        finally:
            await storage.close()

    asyncio.run(beside_a_server())
    here.restore(path, replace=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_restore_that_is_killed_half_way_leaves_what_nobody_serves_and_can_be_done_again(
    room: MakeRoom, empty: Empty, kind: str
) -> None:
    here = room(kind)

    [traces] = [shape for shape in shapes() if shape.name == "traces"]
    many = (("default", f"tr_{number}", "x" * 200, TRACE, 2**40) for number in range(40_000))
    database(here.url).fill(traces, many)
    path, there = here.backup(), replace(here, url=empty(kind))
    code = (
        "import sys, time; from pathlib import Path; from tests.backup.room import Room, quiet\n"
        "Room(Path(sys.argv[1]), sys.argv[2]).restore(Path(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, str(there.folder), there.url, str(path)]
    process = os.posix_spawn(sys.executable, command, os.environ)
    while unfinished(there.url) is None:
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended before it had begun"
    os.kill(process, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    assert "restore" in (check(there.url) or "")
    with pytest.raises(ConfigurationError, match="half filled"):
        there.write(lambda work: work.positions())
    there.restore(path)
    assert check(there.url) is None
    assert there.write(lambda work: work.traces.get("tr_39999")) is not None


def test_a_backup_of_an_earlier_schema_is_restored_and_then_upgraded(room: MakeRoom, empty: Empty) -> None:
    here = room("sqlite")
    older = f"sqlite:///{here.folder / 'older'}"
    begin_filling(older, "nothing", schema="0007")
    tables = [shape for shape in shapes() if shape.name not in ("feed_readers",)]
    with database(here.url).view() as view:
        header = Header(1, "0.0.9", "0007", "abcdef", 0, [one for one in tables if _there(older, one)])
        seal, _ = sealing(here.keys.wrap_secret, here.keys.unwrap_secret)
        write(here.folder / "backup", header, view.rows, seal, quiet)
    there = replace(here, url=empty("sqlite"), heads=False)
    there.restore(here.folder / "backup")
    assert check(there.url) is None
    assert there.write(lambda work: work.clients.get("billing")) is not None


def _there(url: str, shape: Shape) -> bool:
    """Whether the database has this table with these columns."""
    import sqlite3

    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({shape.name})")}
    finally:
        connection.close()
    return found == set(shape.names)


def test_a_backup_of_a_newer_schema_is_refused_before_anything_is_touched(room: MakeRoom, empty: Empty) -> None:
    here = room("sqlite")
    seal, _ = sealing(here.keys.wrap_secret, here.keys.unwrap_secret)
    write(here.folder / "backup", Header(1, "9.9", "9999", "abcdef", 0, []), lambda shape: [], seal, quiet)
    there = replace(here, url=empty("sqlite"))
    with pytest.raises(ConfigurationError, match=r"install Ostiary 9\.9"):
        there.restore(here.folder / "backup")
    assert not Path(there.url.removeprefix("sqlite:///")).exists()
    assert HEAD < "9999"


def test_a_machine_whose_clock_is_before_the_backup_restores_nothing(room: MakeRoom, empty: Empty) -> None:
    here = room("sqlite")
    path = here.backup()
    with pytest.raises(ConfigurationError, match="clock"):
        replace(here, url=empty("sqlite"), now=-3600).restore(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_restore_by_a_clock_that_was_set_back_would_begin_below_the_first_and_is_refused(
    room: MakeRoom, kind: str
) -> None:
    """What was issued since the first restore has a higher position than the second would end."""
    here = replace(room(kind), heads=False)
    path = here.backup()
    ahead = replace(here, now=600)
    ahead.restore(path, replace=True)
    issued = here.write(lambda work: work.positions()).revocation
    with pytest.raises(ConfigurationError, match="before the last restore"):
        here.restore(path, replace=True)
    replace(here, now=602).restore(path, replace=True)
    assert here.write(lambda work: work.revocations.ends(examples.token("since", rev=issued)))


def test_a_clock_before_the_newest_audit_head_restores_nothing(room: MakeRoom, empty: Empty) -> None:
    here = room("sqlite")
    path = here.backup()
    ahead = replace(here, now=600)
    ahead.event("later")
    with pytest.raises(ConfigurationError, match="newest audit head"):
        replace(here, url=empty("sqlite")).restore(path)
    replace(ahead, url=empty("sqlite")).restore(path)


def test_the_log_goes_on_after_a_restore_and_names_the_cut_each_time(room: MakeRoom) -> None:
    here = room("sqlite")
    path = here.backup()
    here.event("lost")
    here.event("lost too")
    exported = here.verify().exported
    before = (here.folder / "heads").read_bytes()
    done = here.restore(path, replace=True)
    assert done.cut is not None
    assert (done.cut.lost, done.cut.rows) == (2, 2)
    for target in ("new", "newer", "newest"):
        here.event(target)
        report = here.verify()
        assert report.good, report.findings
        [told] = report.restores
        assert (told.first_lost, told.last_lost, told.rows_lost) == (exported - 1, exported, 2)
    assert (here.folder / "heads").read_bytes().startswith(before)  # the evidence stays
    (here.folder / "copy").write_bytes(before)
    assert {"head_differs"} <= {finding.kind for finding in here.verify(here.folder / "copy").findings}


def test_an_event_in_the_database_explains_no_cut(room: MakeRoom) -> None:
    """Whoever can write the database alone can write that event; the file of heads is what they cannot write."""
    here = room("sqlite")
    database_file = Path(here.url.removeprefix("sqlite:///"))
    with database(here.url).still():
        old = database_file.read_bytes()
    here.event("to be hidden")
    with database(here.url).still():
        database_file.write_bytes(old)
    here.write(lambda work: work.audit.append(examples.event("me", tag="installation:restored")))
    assert "cut_off" in {finding.kind for finding in here.verify().findings}


def test_keys_of_the_lost_time_are_lost_with_it(room: MakeRoom) -> None:
    """What the lost segments were signed by is unknown afterwards: no damage of the file, but part of the cut."""
    here = room("sqlite")
    path = here.backup()

    async def rotate() -> None:
        from ostiary.authorization_server.signing_keys import SigningKeys

        storage = storage_for(here.url)
        await storage.open()
        try:
            keys = SigningKeys(storage, here.keys, here.settings, here.clock)
            await keys.rotate(compromised=True, use="audit")
        finally:
            await storage.close()

    asyncio.run(rotate())
    here.event("signed by the new key")
    here.restore(path, replace=True)
    here.event("signed by the old key")
    report = here.verify()
    assert report.good, report.findings
    assert len(report.restores) == 1


def test_a_signed_restore_counts_only_where_it_was_signed_for(room: MakeRoom) -> None:
    """Who can write the file alone cannot cut the log at another place by copying the line."""
    here = room("sqlite")
    path = here.backup()
    here.event("lost")
    here.restore(path, replace=True)
    here.event("kept")
    heads = here.folder / "heads"
    [restored] = [line for line in heads.read_bytes().splitlines(keepends=True) if b"restore" in _header(line)]
    heads.write_bytes(heads.read_bytes() + restored)
    kinds = {finding.kind for finding in here.verify().findings}
    assert "heads_damaged" in kinds


def _header(line: bytes) -> bytes:
    from ostiary.protocol import base64url

    return base64url.decode(line.split(b".")[0])


def test_the_file_of_heads_of_another_installation_stops_a_restore(
    room: MakeRoom, empty: Empty, tmp_path: Path
) -> None:
    here = room("sqlite")
    path = here.backup()
    other = tmp_path / "other"
    other.mkdir()
    stranger = Room(other, f"sqlite:///{other / 'db'}")
    stranger.fill()
    (here.folder / "heads").write_bytes((other / "heads").read_bytes())
    with pytest.raises(ConfigurationError, match="another installation"):
        replace(here, url=empty("sqlite")).restore(path)
    assert json.loads(gzip.decompress(path.read_bytes()).splitlines()[0])["ostiary_backup"] == 1
