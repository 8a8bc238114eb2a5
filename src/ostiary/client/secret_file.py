"""Files that hold a private key: read only if nobody else can, written with mode 0600 and never over another file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ostiary.errors import ConfigurationError

MAX_BYTES = 65_536
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_secret_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of the file at ``path``, at most 64 KiB.

    Raises ConfigurationError if it cannot be read, or if group or world have any right on it (POSIX); the message names
    the command that mends it and never quotes the content.
    """
    location = Path(path)
    try:
        # The mode is asked of the open file, not of the name: what is read is what was looked at.
        with location.open("rb") as file:
            _check_mode(location, os.fstat(file.fileno()))
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"The key file {location} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"The key file {location} is larger than {MAX_BYTES} octets: it holds no single key.")
    return content


def write_secret_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` to a new file at ``path`` with mode 0600, on disk when this returns.

    Raises ConfigurationError if the file is there already or cannot be made.
    """
    location = Path(path)
    try:
        descriptor = os.open(location, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{location} is there already; name a new file, a key is never written over."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"The key file {location} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check_mode(location: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"The key file {location} is not a regular file.")
    if os.name == "posix" and status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise ConfigurationError(
            f"The key file {location} is open to others (mode {mode:04o}); close it: chmod 600 {location}"
        )
