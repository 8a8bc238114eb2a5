"""A client's credential that follows its file: read again when the file has changed, so that a key can be replaced."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from ostiary.client.credential_file import client_file, load_client_credential
from ostiary.errors import ConfigurationError
from ostiary.protocol.credential import Credential

_log = logging.getLogger("ostiary.client")
_Stamp = tuple[int, int, int, int]


class CredentialOfFile:
    """The credential in the file at ``path`` (default: the one that ``OSTIARY_CLIENT_FILE`` names).

    The file may be replaced (by a rename, best of all) or rewritten, for the same client at the same issuer. One that
    cannot be read, or is another client's, is left aside with a warning, and the credential of before goes on.
    Raises ConfigurationError at first, as ``load_client_credential`` does.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = Path(client_file(path))
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._credential = load_client_credential(self._path)

    def current(self, *, whatever_it_looks_like: bool = False) -> Credential:
        """The credential, read again if the file looks changed (modification time, size, inode, mode).

        whatever_it_looks_like: read in any case, for a file can be rewritten within one tick of its file system's time.
        """
        with self._lock:
            stamp = self._look()  # before the reading: what is written in between is seen the next time
            if whatever_it_looks_like or stamp != self._stamp:
                self._stamp = stamp
                self._read()
            return self._credential

    def _look(self) -> _Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode

    def _read(self) -> None:
        own = self._credential
        try:
            found = load_client_credential(self._path)
        except ConfigurationError as error:
            _log.warning("the changed credential is left aside: %s", error)
            return
        if (found.issuer, found.client_id) != (own.issuer, own.client_id):
            _log.warning(
                "the changed credential is left aside: %s is now that of %s at %s; start anew to be that client",
                self._path, found.client_id, found.issuer,
            )  # fmt: skip
        elif found.key.private_jwk() != own.key.private_jwk():
            self._credential = found
