"""The file of signed heads outside the database: one compact JWS a line, appended to.

Only retention rewrites it, as a whole and atomically: then it begins with a signed checkpoint instead of the heads that
the checkpoint speaks for.

It is what a database that was cut or restored from an older copy is compared with; keep it where whoever can write the
database cannot (another owner, an append-only attribute, a log shipper).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ostiary.audit import head as heads
from ostiary.audit.head import Head
from ostiary.errors import ConfigurationError, VerificationError

if sys.platform != "win32":
    import fcntl

_GUARDED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | _GUARDED
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
            with self._locked(_FLAGS) as descriptor:
                written = self._append_locked(descriptor, signed)
            if new:
                _sync_folder(self.path.parent)
            return written
        except OSError as error:
            raise self._unusable(error) from error

    def begin_with(self, segment: int, checkpoint: str) -> bool:
        """Put ``checkpoint``, which speaks for the segments up to ``segment``, in the place of their heads.

        Whoever reads meanwhile sees the old file or the new one. Whether there was anything to do. Raises
        ConfigurationError when the file cannot be rewritten, or tells the segment otherwise; it is then as it was.
        """
        try:
            with self._locked(os.O_RDWR | _GUARDED) as descriptor:
                first = next(self.lines(), "")
                if first == checkpoint or _begins_later(first, segment):
                    return False
                self._refuse_unknown(segment, checkpoint)
                self._rewrite(descriptor, segment, checkpoint)
                return True
        except OSError as error:
            raise self._unusable(error) from error

    def heads(self) -> Iterator[Head]:
        """The heads in the order of the file, their signatures not verified; what is torn or damaged is left out.

        What a restore cut off (``audit.restoration``) is left out too.
        """
        restores = list(self._restores())
        for number, line in enumerate(self.lines()):
            try:
                head = heads.unverified(line)
            except VerificationError:
                continue  # `audit verify` tells of it
            if not any(number < place and head.segment > end for place, end in restores):
                yield head

    def append_restore(self, token: str) -> None:
        """Append what ``audit.restoration`` signed, durably. Raises ConfigurationError: it cannot be written."""
        try:
            with self._locked(_FLAGS) as descriptor:
                line = token.encode("ascii") + b"\n"
                _write_all(descriptor, line if _ends_whole(descriptor) else b"\n" + line)
                os.fsync(descriptor)
        except OSError as error:
            raise self._unusable(error) from error

    def _restores(self) -> Iterator[tuple[int, int]]:
        """Of each restore its line and the segment with which it ended the log. Of most lines the header alone is
        looked at, and there are few different ones."""
        known: dict[str, bool] = {}
        for number, line in enumerate(self.lines()):
            header = line.partition(".")[0]
            if header not in known:
                known[header] = _is_restore(line)
            if known[header]:
                try:
                    yield number, heads.unverified(line).segment
                except VerificationError:
                    continue

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

    def _refuse_unknown(self, segment: int, checkpoint: str) -> None:
        """Whoever writes the database must not make us erase heads: only what the file itself tells is replaced."""
        told = next((one for one in self.heads() if one.segment >= segment), None)
        if told is None or (told.segment, told.head) != (segment, heads.unverified(checkpoint).head):
            raise ConfigurationError(
                f"The file of audit heads {self.path} stays as it is: it does not tell segment {segment} as the"
                " checkpoint in the database does. Run `ostiary audit verify`, which says what is wrong."
            )

    def _last_seen(self, descriptor: int) -> Head | None:
        """The last head; read only if the file has changed since it was last looked at."""
        present = os.fstat(descriptor)
        if self._seen[:2] != (present.st_ino, present.st_size):
            self._seen = (present.st_ino, present.st_size, _last(descriptor))
        return self._seen[2]

    @contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        """The file, open and ours alone. One that was replaced while we waited for it is not written to."""
        while True:
            descriptor = os.open(self.path, flags, 0o600)
            try:
                present = os.fstat(descriptor)
                if not stat.S_ISREG(present.st_mode):
                    raise OSError("it is not a regular file")
                if sys.platform != "win32":
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                if self.path.exists() and os.path.samestat(present, self.path.stat()):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _rewrite(self, descriptor: int, segment: int, checkpoint: str) -> None:
        present = os.fstat(descriptor)
        if present.st_uid != os.geteuid():
            # The new file would be ours, and nobody would guard it from us any more.
            raise OSError("it belongs to another user, so retention leaves it as it is and it keeps growing")
        place = self.path.with_name(self.path.name + ".new")
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _GUARDED, 0o600)
        try:
            os.fchmod(target, stat.S_IMODE(present.st_mode))
            with os.fdopen(os.dup(target), "wb") as file:
                file.write(checkpoint.encode("ascii") + b"\n")
                file.writelines(_after(self.path, segment))
            os.fsync(target)
        finally:
            os.close(target)
        place.replace(self.path)
        _sync_folder(self.path.parent)

    def _append_locked(self, descriptor: int, signed: Sequence[tuple[int, str]]) -> int:
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


def _is_restore(line: str) -> bool:
    try:
        return heads.typ_of(line) == heads.RESTORE_TYP
    except VerificationError:
        return False


def _begins_later(line: str, segment: int) -> bool:
    """Whether the file begins with a checkpoint beyond ``segment``: another process has just folded more."""
    try:
        return heads.is_checkpoint(line) and heads.unverified(line).segment > segment
    except VerificationError:
        return False


def _last(descriptor: int) -> Head | None:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    for line in reversed(tail.split(b"\n")[:-1]):
        try:
            return heads.unverified(line.decode("ascii", "replace"))
        except VerificationError:
            continue  # torn or damaged: `audit verify` tells of it
    return None


def _after(path: Path, segment: int) -> Iterator[bytes]:
    """The lines of the file from the first head after ``segment`` on, untouched, and before it those that are damaged:
    they are a finding, and a rewriting must not mend it."""
    with path.open("rb") as file:
        held = b""
        for line in file:
            if held and not line.startswith(held.rstrip(b"\n")):
                yield held
            held = b""
            try:
                if heads.unverified(line.rstrip(b"\n").decode("ascii", "replace")).segment <= segment:
                    continue
            except VerificationError:
                held = line  # torn by a crash if the next line begins with it, else damaged
                continue
            yield line
            yield from file
            return
        if held:
            yield held


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
