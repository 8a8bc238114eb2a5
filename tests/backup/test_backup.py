"""A backup holds the installation as it was at one moment, and whatever was done to the file is found out."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.backup import make
from ostiary.backup.databases import database
from ostiary.backup.file import Seal, sealing, verify
from ostiary.backup.shape import ENDED_BY_A_RESTORE, Checksum, shapes
from ostiary.errors import ConfigurationError
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from tests.backup.conftest import KINDS, MakeRoom
from tests.backup.room import Room, quiet
from tests.contract.storage import examples


def sound(room: Room, path: Path) -> None:
    verify(path, sealing(room.keys.wrap_secret, room.keys.unwrap_secret)[1], quiet)


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_every_table_but_those_that_a_restore_ends(room: MakeRoom, kind: str) -> None:
    here = room(kind)
    path = here.backup()
    sound(here, path)
    assert here.made is not None
    names = {shape.name for shape in shapes()}
    assert set(here.made.tables) == names - ENDED_BY_A_RESTORE
    assert {"clients", "audit_events", "signing_keys", "revocations", "counters"} <= set(here.made.tables)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_committed_while_it_is_made_is_not_in_it_by_halves(room: MakeRoom, kind: str) -> None:
    """The API comes into the database before the clients are read, and is of the same transaction as a client."""
    here = room(kind)
    written: list[str] = []

    def meanwhile(table: str, count: int) -> None:
        if not written:
            written.append(table)
            here.write(lambda work: work.clients.add(examples.client("late", grant_id="g2")))

    contents = make.make(here.url, here.folder / "b", here.keys, now=here.clock(), progress=meanwhile)
    assert written == ["acme_accounts"]
    assert contents.tables["clients"].rows == 1
    with database(here.url).view() as view:
        [clients] = [shape for shape in shapes() if shape.name == "clients"]
        assert len(list(view.rows(clients))) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_two_databases_with_the_same_rows_have_the_same_checksums(room: MakeRoom, kind: str) -> None:
    """Truth values, octets and text are told alike, in whatever order the rows come."""
    first, second = Checksum(), Checksum()
    for line in (b"a", b"b", b"c"):
        first.add(line)
    for line in (b"c", b"a", b"b"):
        second.add(line)
    assert (first.rows, first.text()) == (second.rows, second.text())
    second.add(b"a")
    assert first.text() != second.text()


def test_a_file_that_exists_is_not_overwritten(room: MakeRoom) -> None:
    here = room("sqlite")
    (here.folder / "backup").write_text("mine")
    with pytest.raises(ConfigurationError, match="exists already"):
        here.backup()
    assert (here.folder / "backup").read_text() == "mine"


def lines_of(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def rewritten(path: Path, lines: list[bytes], seal: Seal | None = None) -> None:
    """The file with these lines, and an end that fits them; seal: by whom, else the old one stays."""
    end = json.loads(lines[-1])
    digest = hashlib.sha256(b"".join(lines[:-1]))
    end["sha256"] = digest.hexdigest()
    if seal is not None:
        end["seal"] = seal(digest.digest())
    path.write_bytes(gzip.compress(b"".join([*lines[:-1], json.dumps(end).encode() + b"\n"])))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def cut_between_two_lines(path: Path) -> None:
    path.write_bytes(gzip.compress(b"".join(lines_of(path)[:-1])))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_a_row(path: Path) -> None:
    path.write_bytes(gzip.compress(b"".join(lines_of(path)).replace(b"usr_1", b"usr_2", 1)))


def change_a_row_and_the_sums(path: Path) -> None:
    """Whoever has no key-encryption key can make everything fit but the seal."""
    lines = lines_of(path)
    place = next(number for number, line in enumerate(lines) if b'"gr_user"' in line)
    lines[place] = lines[place].replace(b"usr_1", b"usr_2")
    ends = next(number for number in range(place, len(lines)) if lines[number].startswith(b"{"))
    checksum = Checksum()
    first = next(number for number in range(place, 0, -1) if lines[number - 1].startswith(b"{"))
    for line in lines[first:ends]:
        checksum.add(line[:-1])
    lines[ends] = json.dumps({"table": "grants", "rows": checksum.rows, "sum": checksum.text()}).encode() + b"\n"
    rewritten(path, lines)


def add_a_line(path: Path) -> None:
    path.write_bytes(gzip.compress(b"".join([*lines_of(path), b"{}\n"])))


@pytest.mark.parametrize(
    "harm", [cut, cut_between_two_lines, flip_a_bit, change_a_row, change_a_row_and_the_sums, add_a_line]
)
def test_a_damaged_or_changed_backup_is_refused(room: MakeRoom, harm: Callable[[Path], None]) -> None:
    here = room("sqlite")
    path = here.backup()
    harm(path)
    with pytest.raises(ConfigurationError, match=r"damaged"):
        sound(here, path)


def test_only_the_seal_stands_against_who_makes_everything_else_fit(room: MakeRoom) -> None:
    """So that what refuses the change above is the seal and nothing else."""
    here = room("sqlite")
    path = here.backup()
    change_a_row_and_the_sums(path)
    verify(path, None, quiet)


def test_a_backup_of_another_key_encryption_key_is_refused_and_named(room: MakeRoom) -> None:
    here = room("sqlite")
    path = here.backup()
    (here.folder / "kek").unlink()
    create_key_encryption_key(here.folder / "kek")
    with pytest.raises(ConfigurationError, match="wrapped by the key-encryption key"):
        sound(here, path)


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "damaged"), (b'{"a": 1}\n', "no backup"), (b'{"ostiary_backup":2}\n', "newer")]
)
def test_what_is_no_backup_is_named_so(room: MakeRoom, content: bytes, words: str) -> None:
    here = room("sqlite")
    (here.folder / "file").write_bytes(gzip.compress(content) if content else b"text")
    with pytest.raises(ConfigurationError, match=words):
        sound(here, here.folder / "file")


def test_a_table_name_from_a_backup_is_never_sql(room: MakeRoom) -> None:
    here = room("sqlite")
    path = here.backup()
    lines = lines_of(path)
    lines[0] = lines[0].replace(b'"name":"clients"', b'"name":"clients\\"; DROP TABLE clients; --"')
    rewritten(path, lines, sealing(here.keys.wrap_secret, here.keys.unwrap_secret)[0])
    with pytest.raises(ConfigurationError, match="damaged"):
        sound(here, path)


def test_there_is_no_backup_of_what_is_no_database(room: MakeRoom) -> None:
    here = room("sqlite")
    with pytest.raises(ConfigurationError, match="no Ostiary schema"):
        replace(here, url=f"sqlite:///{here.folder / 'nothing'}").backup()
