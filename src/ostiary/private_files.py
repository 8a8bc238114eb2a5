"""Files that hold a private key: written once with mode 0600, read only if nobody else may."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ostiary.errors import ConfigurationError

MAX_SIZE = 65_536


def write_private_file(path: Path, content: bytes) -> None:
    """Create ``path`` with mode 0600 and make it durable; an existing file is never overwritten.

    Raises ConfigurationError.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{path} exists already: choose another name, or remove it if it is not needed"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_private_file(path: Path) -> bytes:
    """The content of ``path``. Raises ConfigurationError if it is missing, too large or open to others."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                raise ConfigurationError(f"{path} can be read by others and holds a private key: chmod 600 {path}")
            content = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MAX_SIZE:
        raise ConfigurationError(f"{path} is larger than {MAX_SIZE} bytes and is no key file")
    return content
