"""The file of a backup: gzip (RFC 1952) over lines of JSON (RFC 8259).

    {"ostiary_backup": 1, "version": ..., "schema": ..., "installation": ..., "made_at": ..., "tables": [...]}
    ["default", "billing", ...]              a row of the first table, octets in base64
    {"table": "apis", "rows": 1, "sum": ...}  the end of a table: how many rows, and the checksum of their lines
    ...
    {"sha256": ..., "rows": ..., "seal": ...}

The last line holds the SHA-256 of every octet before it, once more sealed by the key-encryption key (AES-256-GCM): so
nobody without that key can make or alter a backup, and whoever restores it finds out first whether their key fits.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from ostiary.backup.shape import Checksum, Lines, Row, Shape
from ostiary.errors import ConfigurationError, Unavailable

FORMAT: Final = 1
SEALED_AS: Final = "backup"
_LONGEST_LINE = 64 * 1024 * 1024
_EVERY = 20_000

T = TypeVar("T")
Progress = Callable[[str, int], None]
"""Told the name of a table and how many of its rows are done, every so often and at its end."""
Seal = Callable[[bytes], str]
"""Seals 32 octets under the key-encryption key, as text."""
Unseal = Callable[[str], bytes]

_encode = msgspec.json.Encoder().encode


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """version, schema: of the Ostiary that made it; made_at: seconds since the epoch."""

    ostiary_backup: Literal[1]
    version: str
    schema: Annotated[str, Meta(pattern="^[0-9]{4}$")]
    installation: str
    made_at: int
    tables: list[Shape]


class TableEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """rows: how many; sum: ``Checksum.text``."""

    table: str
    rows: int
    sum: str


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """sha256: of all before, hexadecimal; rows: of all tables; seal: by the key-encryption key."""

    sha256: str
    rows: int
    seal: str


class Contents(msgspec.Struct, frozen=True):
    """What a whole, sound backup holds."""

    header: Header
    tables: dict[str, TableEnd]
    end: End


def write(
    path: Path, header: Header, rows_of: Callable[[Shape], Iterable[Row]], seal: Seal, progress: Progress
) -> Contents:
    """Write a backup, durably and with mode 0600; it gets its name when it is whole. A file is never overwritten.

    Raises ConfigurationError: the path is taken, or cannot be written.
    """
    if path.exists():
        raise ConfigurationError(f"{path} exists already and is not overwritten: name another file.")
    fresh = path.with_name(path.name + ".unfinished")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as packed:
                contents = _write_lines(packed, header, rows_of, seal, progress)
            raw.flush()
            os.fsync(raw.fileno())
        fresh.rename(path)
        _sync(path.absolute().parent)
    except OSError as error:
        raise ConfigurationError(f"The backup {path} cannot be written: {error.strerror or error}.") from error
    return contents


def _write_lines(
    file: gzip.GzipFile, header: Header, rows_of: Callable[[Shape], Iterable[Row]], seal: Seal, progress: Progress
) -> Contents:
    digest = hashlib.sha256()

    def put(line: bytes) -> None:
        digest.update(line)
        digest.update(b"\n")
        file.write(line + b"\n")

    put(_encode(header))
    ends = {}
    for shape in header.tables:
        lines, checksum = Lines(shape), Checksum()
        for row in rows_of(shape):
            line = lines.line(row)
            checksum.add(line)
            put(line)
            if checksum.rows % _EVERY == 0:
                progress(shape.name, checksum.rows)
        ends[shape.name] = TableEnd(shape.name, checksum.rows, checksum.text())
        put(_encode(ends[shape.name]))
        progress(shape.name, checksum.rows)
    end = End(digest.hexdigest(), sum(one.rows for one in ends.values()), seal(digest.digest()))
    file.write(_encode(end) + b"\n")
    return Contents(header, ends, end)


class Reader:
    """Reads a backup from its beginning to its end, once; everything that it gives is checked by the end alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()

    @contextmanager
    def opened(self) -> Iterator[Header]:
        """The header. Raises ConfigurationError, here and below: no backup, one of a newer version, or damaged."""
        try:
            with gzip.open(self._path, "rb") as self._file:
                yield self._header()
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            raise ConfigurationError(f"The backup {self._path} cannot be read: {error.strerror}.") from error

    def rows(self, shape: Shape, progress: Progress) -> Iterator[list[Any]]:
        """The rows of the next table; its checksum is compared at its end."""
        lines, checksum = Lines(shape), Checksum()
        while not (line := self._line()).startswith(b"{"):
            checksum.add(line)
            try:
                yield lines.row(line)
            except ValueError as error:
                raise self._damaged(f"a row of {shape.name}: {error}") from error
            if checksum.rows % _EVERY == 0:
                progress(shape.name, checksum.rows)
        self.table_end = self._decoded(line, TableEnd)
        if self.table_end != TableEnd(shape.name, checksum.rows, checksum.text()):
            raise self._damaged(f"the rows of {shape.name} are not those that were written")
        progress(shape.name, checksum.rows)

    def end(self, unseal: Unseal | None) -> End:
        """The last line, compared with all before it; unseal: None where the key-encryption key is not at hand."""
        digest = self._digest.digest()
        end = self._decoded(self._line(), End)
        if end.sha256 != digest.hex() or self._file.read(1):
            raise self._damaged("its SHA-256 is another")
        if unseal is not None and unseal(end.seal) != digest:
            raise self._damaged("its seal is of another backup")
        return end

    def _header(self) -> Header:
        line = self._line()
        try:
            told = msgspec.json.decode(line)
        except msgspec.DecodeError:
            told = None
        if not isinstance(told, dict) or "ostiary_backup" not in told:
            raise ConfigurationError(f"{self._path} is no backup of Ostiary: name a file that `ostiary backup` made.")
        if told["ostiary_backup"] != FORMAT:
            raise ConfigurationError(f"{self._path} was made by a newer Ostiary: install that version to restore it.")
        return self._decoded(line, Header)

    def _line(self) -> bytes:
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise self._damaged("it ends too early")
        self._digest.update(line)
        return line[:-1]

    def _decoded(self, line: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(line, type=kind)
        except msgspec.MsgspecError as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"The backup {self._path} is damaged ({what}): take another one.")

    _file: gzip.GzipFile


def verify(path: Path, unseal: Unseal | None, progress: Progress) -> Contents:
    """Read the whole backup. Raises ConfigurationError: damaged, or (with ``unseal``) of another key or maker."""
    reader, ends = Reader(path), {}
    with reader.opened() as header:
        for shape in header.tables:
            for _ in reader.rows(shape, progress):
                pass
            ends[shape.name] = reader.table_end
        return Contents(header, ends, reader.end(unseal))


def sealing(wrap: Callable[[str, bytes], bytes], unwrap: Callable[[str, bytes], bytes]) -> tuple[Seal, Unseal]:
    """By ``KeyManagement.wrap_secret`` and ``unwrap_secret``."""

    def seal(digest: bytes) -> str:
        return wrap(SEALED_AS, digest).hex()

    def unseal(text: str) -> bytes:
        try:
            wrapped = bytes.fromhex(text)
        except ValueError as error:
            raise Unavailable("backup", "its seal is no hexadecimal text") from error
        return unwrap(SEALED_AS, wrapped)

    return seal, unseal


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
