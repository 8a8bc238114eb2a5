"""Makes a backup of an installation, beside running servers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ostiary import __version__
from ostiary.backup.databases import View, database
from ostiary.backup.file import Contents, Header, Progress, sealing, write
from ostiary.backup.shape import ENDED_BY_A_RESTORE, Shape, shapes
from ostiary.errors import ConfigurationError
from ostiary.key_management.base import KeyManagement
from ostiary.storage.migrate import HEAD, UNFINISHED, check

COPIED: Final = {"settings": f"name <> '{UNFINISHED}'"}
"""Which rows of a table belong to the installation, where not all do."""


def make(url: str, path: Path, keys: KeyManagement, *, now: float, progress: Progress) -> Contents:
    """Back up the database ``url`` into the new file ``path``, as it is at one moment.

    Raises ConfigurationError (no database of this version, no key-encryption key, the path) and Unavailable.
    """
    if problem := check(url):
        raise ConfigurationError(problem)
    seal, _ = sealing(keys.wrap_secret, keys.unwrap_secret)
    with database(url).view() as view:
        tables = shapes(without=ENDED_BY_A_RESTORE)
        installation = setting(view, "installation_id")
        header = Header(1, __version__, HEAD, installation, int(now), tables)
        return write(path, header, lambda shape: view.rows(shape, COPIED.get(shape.name, "")), seal, progress)


def setting(view: View, name: str) -> str:
    """A value of the installation, "" if it has none of this name."""
    values: dict[str, str] = {row[1]: row[2] for row in view.rows(_SETTINGS)}
    return values.get(name, "")


_SETTINGS = Shape("settings", [("tenant", "text"), ("name", "text"), ("value", "text")])
