"""A user's tokens in a file that its owner alone can read; several processes of one machine share it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ostiary.client.user_tokens import UserTokens
from ostiary.errors import ConfigurationError
from ostiary.secret_files import read_secret_file, replace_secret_file

if sys.platform != "win32":
    import fcntl


class UserTokenFile:
    """The tokens in the file at ``path``, mode 0600. Raises ConfigurationError where it cannot be read or written."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """One process at a time, so that two of them do not use the same refresh token."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigurationError(f"The file {lock} cannot be made: {error.strerror}.") from None
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def load(self) -> UserTokens:
        """The tokens as they are now."""
        return UserTokens.from_json(read_secret_file(self.path))

    def save(self, tokens: UserTokens) -> None:
        """Put ``tokens`` there in one durable step."""
        replace_secret_file(self.path, tokens.to_json() + b"\n")
