"""What the pages say: one catalogue a language, TOML in the package, English behind every other one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

FALLBACK: Final = "en"
_FOLDER = Path(__file__).parent / "catalogues"


@cache
def languages() -> frozenset[str]:
    """The tags of the languages that have a catalogue, lower case."""
    return frozenset(file.stem for file in _FOLDER.glob("*.toml"))


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The sentences of ``language`` by key, such as ``"sign_in.title"``."""
    tables = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return {f"{table}.{name}": text for table, entries in tables.items() for name, text in entries.items()}


@dataclass(frozen=True, slots=True)
class Words:
    """The catalogue of one language, with what templates call: ``t``, ``words``, ``when`` and ``day``.

    All give plain text, never markup: what they are given is escaped where it is shown, as everything is.
    """

    language: str

    def t(self, key: str, **values: object) -> str:
        """The sentence ``key`` with ``values`` filled in. Raises KeyError: no catalogue has it."""
        text = catalogue(self.language).get(key) or catalogue(FALLBACK)[key]
        return text.format_map(values) if values else text

    def words(self, text: str) -> str:
        """The sentence whose key ``text`` is, else ``text`` itself: for messages, and for what an API describes."""
        return self.t(text) if text in catalogue(FALLBACK) else text

    def when(self, at: int) -> str:
        """A moment in words. at: seconds since the epoch."""
        return self.t("dates.moment", day=self.day(at), time=f"{datetime.fromtimestamp(at, UTC):%H:%M}")

    def day(self, at: int) -> str:
        """The day of a moment in words. at: seconds since the epoch."""
        moment = datetime.fromtimestamp(at, UTC)
        month = self.t("dates.months").split()[moment.month - 1]
        return self.t("dates.day", day=moment.day, month=month, year=moment.year)
