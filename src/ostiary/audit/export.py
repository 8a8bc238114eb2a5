"""The file of signed heads outside the database: one compact JWS a line, only ever appended to.

It is what a database that was cut or restored from an older copy is compared with; keep it where whoever can write the
database cannot (another owner, an append-only attribute, a log shipper).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ostiary.audit import head as heads
from ostiary.audit.head import Head
from ostiary.errors import ConfigurationError, VerificationError

if sys.platform != "win32":
    import fcntl

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_TAIL = 2 * heads.MAX_LENGTH


class HeadsFile:
    """Appends signed heads, durably, and by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, Head | None] = (0, 0, None)

    def last(self) -> Head | None:
        """The last whole head in the file, its signature not verified; None if there is none.

        Raises ConfigurationError when the file cannot be read.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                return self._last_seen(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error

    def append(self, signed: Sequence[tuple[int, str]]) -> int:
        """Append those of ``signed`` (segment, compact JWS; in order) that the file does not hold yet; how many.

        Returns when they are on the disk. Raises ConfigurationError when the file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = not self.path.exists()
            descriptor = os.open(self.path, _FLAGS, 0o600)
            try:
                return self._append_locked(descriptor, signed)
            finally:
                os.close(descriptor)
                if new:
                    _sync_folder(self.path.parent)
        except OSError as error:
            raise self._unusable(error) from error

    def lines(self) -> Iterator[str]:
        """Each line; nothing when there is no file. Raises ConfigurationError when it cannot be read."""
        try:
            with self.path.open("rb") as file:
                while line := file.readline(heads.MAX_LENGTH + 1):
                    yield line.rstrip(b"\n").decode("ascii", "replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error) from error

    def _last_seen(self, descriptor: int) -> Head | None:
        """The last head; read only if the file has changed since it was last looked at."""
        present = os.fstat(descriptor)
        if self._seen[:2] != (present.st_ino, present.st_size):
            self._seen = (present.st_ino, present.st_size, _last(descriptor))
        return self._seen[2]

    def _append_locked(self, descriptor: int, signed: Sequence[tuple[int, str]]) -> int:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a regular file")
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Looked at under the lock: another process of this host may have written the same heads meanwhile.
        last = _last(descriptor)
        missing = [token for segment, token in signed if last is None or segment > last.segment]
        if not missing:
            return 0
        # A line that a crash tore is left as it is: a true beginning of the line that now follows it.
        written = b"".join(token.encode("ascii") + b"\n" for token in missing)
        _write_all(descriptor, written if _ends_whole(descriptor) else b"\n" + written)
        os.fsync(descriptor)
        return len(missing)

    def _unusable(self, error: OSError) -> ConfigurationError:
        reason = error.strerror or str(error)
        return ConfigurationError(
            f"The file of audit heads {self.path} cannot be used: {reason}. Mend its rights, or set audit.heads_file."
        )


def _last(descriptor: int) -> Head | None:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    for line in reversed(tail.split(b"\n")[:-1]):
        try:
            return heads.unverified(line.decode("ascii", "replace"))
        except VerificationError:
            continue  # torn or damaged: `audit verify` tells of it
    return None


def _ends_whole(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    """A new file is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
