"""Files that hold a secret or a private key: read only if their owner alone can, made with mode 0600, once."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from ostiary.errors import ConfigurationError

MAX_BYTES = 65_536
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_secret_file(path: str | os.PathLike[str]) -> bytes:
    """The content of ``path``.

    Raises ConfigurationError: it cannot be read, is no regular file, is too long, or others than its owner may use it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigurationError(f"The secret file {path} cannot be read: {error.strerror}.") from None
    try:
        # The permissions are asked of the open file, so that nobody can swap it between the look and the reading.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(f"The secret file {path} is no regular file: name a file.")
        if status.st_mode & _OTHERS:
            raise ConfigurationError(f"The secret file {path} is open to other users of this machine: chmod 600 {path}")
        if status.st_size > MAX_BYTES:
            raise ConfigurationError(f"The secret file {path} is longer than {MAX_BYTES} bytes: name the right file.")
        return os.read(descriptor, MAX_BYTES)
    finally:
        os.close(descriptor)


def write_secret_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Make ``path`` with mode 0600, durably; a file that exists is never overwritten. Raises ConfigurationError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"The file {path} exists already and is not overwritten: name another.") from None
    except OSError as error:
        raise ConfigurationError(f"The secret file {path} cannot be made: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def fill_secret_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write into ``path``, which was made empty by ``write_secret_file``, durably. Raises ConfigurationError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise ConfigurationError(f"The secret file {path} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        if os.fstat(descriptor).st_size:
            raise ConfigurationError(f"The file {path} is not empty any more and is not overwritten: name another.")
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_secret_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Put ``content`` in the place of ``path`` in one step, with mode 0600; a crash leaves the old file or the new.

    Raises ConfigurationError.
    """
    target = Path(path)
    fresh = target.with_name(f"{target.name}.{secrets.token_hex(4)}.new")
    write_secret_file(fresh, content)
    try:
        fresh.replace(target)
        directory = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigurationError(f"The secret file {path} cannot be replaced: {error.strerror}.") from None
    try:
        os.fsync(directory)  # else a crash could bring the old name back
    finally:
        os.close(directory)
