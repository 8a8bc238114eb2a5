"""Where a database may be filled: in an empty one, in one that was left half filled, or, where that is meant, in the
place of another, which on SQLite is kept beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ostiary.backup.databases import View, database
from ostiary.backup.shape import shapes
from ostiary.errors import ConfigurationError
from ostiary.storage.migrate import HEAD, POSTGRES, current, sqlite_path, unfinished

State = Literal["empty", "half filled", "used"]


def state(url: str) -> State:
    """What the database is: without a schema, or with one and nothing in it; left by a restore or migration that did
    not end; or an installation's. Raises Unavailable."""
    found = current(url)
    if found is None:
        return "empty"
    if unfinished(url):
        return "half filled"
    if found > HEAD:
        raise ConfigurationError(f"The database has schema {found}, newer than {HEAD}: install that Ostiary.")
    with database(url).view() as view:
        # Every table of a lower schema is one of this one's, or newer than it.
        return "used" if found < HEAD or _holds_anything(view) else "empty"


def make_room(url: str, *, replace: bool, now: float) -> Path | None:
    """See to it that ``begin_filling`` may begin; where the file that was there is kept, None if there was none.

    Raises ConfigurationError: the database is not empty and is not to be replaced, or it is being served.
    """
    if current(url) is None:
        return None
    found = state(url)
    if found == "used" and not replace:
        raise ConfigurationError(
            "The database is not empty: name an empty one in storage.url, or add --replace if what it holds may go."
        )
    if database(url).in_use():
        raise ConfigurationError("The database is in use: stop every `ostiary serve` on it, and other connections.")
    if url.startswith(POSTGRES):
        return None
    path = sqlite_path(url)
    if found == "used":
        return _moved_aside(path, now)
    path.unlink()
    return None


def _holds_anything(view: View) -> bool:
    """A command that only looked has made the schema, with its settings and counters."""
    return any(next(iter(view.rows(shape)), None) for shape in shapes() if shape.name not in ("settings", "counters"))


def _moved_aside(path: Path, now: float) -> Path:
    """Being alone with it, SQLite has put everything into the one file."""
    at = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = path.with_name(f"{path.name}.replaced-{at}")
    if kept.exists():
        raise ConfigurationError(f"{kept} exists already: wait a second, and try again.")
    path.rename(kept)
    return kept
