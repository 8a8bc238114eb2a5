"""Where refused decisions are kept by the process that refused them: a bounded file, a log, the memory of a test.

A sink neither raises nor waits: a request must not fail because its trace could not be kept. What is lost is counted.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ostiary.errors import ConfigurationError
from ostiary.trace import TraceRecord

if sys.platform != "win32":
    import fcntl

MAX_LINE = 65_536
DEFAULT_MAX_BYTES = 4 * 1024 * 1024

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(TraceRecord)
# O_NONBLOCK: a pipe in the place of the file is refused and not waited for.
_FURTHER_FLAGS = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK"))
_OPEN_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | sum(_FURTHER_FLAGS)


class FileSink:
    """Appends each record as one line of JSON to a file of mode 0600, shared by the threads and processes of a host.

    path: the file; older records stand in ``<path>.1`` up to ``<path>.<keep>``.
    max_bytes: from this size on a file is turned over, so that at most about ``(keep + 1) * max_bytes`` stand on disk.
    dropped: how many records could not be kept.
    Raises ConfigurationError when the folder cannot be made.
    """

    def __init__(self, path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, keep: int = 1) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.keep = keep
        self.dropped = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder of the trace file {path} cannot be made: {error.strerror}."
            ) from error

    def record(self, record: TraceRecord) -> None:
        try:
            line = _encode(record) + b"\n"
            if len(line) > MAX_LINE:
                self.dropped += 1
                return
            self._append(line)
        except (OSError, ValueError, TypeError, msgspec.MsgspecError):
            # Full disk, lost rights, unencodable text: the refusal itself stands, only its story is lost.
            self.dropped += 1

    def _append(self, line: bytes) -> None:
        # Opened anew for each record: another process may have turned the file over, and refusals are rare.
        descriptor = os.open(self.path, _OPEN_FLAGS, 0o600)
        try:
            present = os.fstat(descriptor)
            if not stat.S_ISREG(present.st_mode):
                raise OSError("the trace file is not a regular file")
            if present.st_size and present.st_size + len(line) > self.max_bytes:
                self._turn_over(descriptor)
                os.close(descriptor)
                descriptor = os.open(self.path, _OPEN_FLAGS, 0o600)
            # One write with O_APPEND: lines of several writers never mix.
            if os.write(descriptor, line) != len(line):
                self.dropped += 1
        finally:
            os.close(descriptor)

    def _turn_over(self, descriptor: int) -> None:
        """Move the full file aside, by one process only; whoever comes second finds another file under the name."""
        if sys.platform != "win32":
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # another one is at it
        try:
            named = self.path.stat()
        except FileNotFoundError:
            return  # moved aside a moment ago, and nobody has begun the next one yet
        if not os.path.samestat(os.fstat(descriptor), named):
            return
        for number in range(self.keep, 1, -1):
            older = _turned(self.path, number - 1)
            if older.exists():
                older.replace(_turned(self.path, number))
        if self.keep:
            self.path.replace(_turned(self.path, 1))
        else:
            self.path.unlink()


class LogSink:
    """Writes each record as one line of JSON to a logger, at the level INFO for refusals and ERROR for faults."""

    dropped = 0

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def record(self, record: TraceRecord) -> None:
        level = logging.ERROR if record.outcome == "fault" else logging.INFO
        try:
            self._logger.log(level, "%s", _encode(record).decode())
        except Exception:  # a handler of the application may raise anything, and the request must not feel it
            self.dropped += 1


class MemorySink:
    """Keeps the last ``limit`` records of this process; for tests and for ``dev``."""

    def __init__(self, limit: int = 1000) -> None:
        self._records: deque[TraceRecord] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def record(self, record: TraceRecord) -> None:
        with self._lock:
            self._records.append(record)

    @property
    def records(self) -> list[TraceRecord]:
        """The records kept, oldest first."""
        with self._lock:
            return list(self._records)

    def find(self, trace_id: str) -> TraceRecord | None:
        return next((record for record in reversed(self.records) if record.trace_id == trace_id), None)


def find_in_file(path: Path, trace_id: str, *, keep: int = 9) -> TraceRecord | None:
    """The record of ``trace_id`` in the trace file or the files turned over before it; None if it is not there.

    A damaged line is passed over. Raises ConfigurationError when the file cannot be read.
    """
    for candidate in (path, *(_turned(path, number) for number in range(1, keep + 1))):
        for record in _records(candidate, trace_id, required=candidate == path):
            if record.trace_id == trace_id:
                return record
    return None


def _records(path: Path, trace_id: str, *, required: bool) -> Iterator[TraceRecord]:
    wanted = trace_id.encode("utf-8", "replace")
    try:
        with path.open("rb") as lines:
            while line := lines.readline(MAX_LINE):
                record = _decoded(line) if wanted in line else None
                if record is not None:
                    yield record
    except FileNotFoundError:
        if required and not _turned(path, 1).exists():
            raise ConfigurationError(f"There is no trace file {path}; name it with --trace-file.") from None
    except OSError as error:
        raise ConfigurationError(f"The trace file {path} cannot be read: {error.strerror}.") from error


def _decoded(line: bytes) -> TraceRecord | None:
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        return None


def _turned(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
