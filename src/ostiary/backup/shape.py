"""What is copied: the columns of each table, a row as one line of text, and a checksum that knows no order."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import Boolean, LargeBinary, Table

from ostiary.storage.schema import METADATA

Kind = Literal["text", "whole", "octets", "flag"]
Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,62}$")]
Row = Sequence[Any]

# A restore ends all of these, and refuses what their rows would have to judge: they would only make a backup long.
ENDED_BY_A_RESTORE: Final = frozenset({"access_tokens", "refresh_tokens", "replay_marks", "one_time_artifacts"})

_encode = msgspec.json.Encoder().encode
_MASK = (1 << 256) - 1


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table: its name and its columns, each with the kind of its values."""

    name: Name
    columns: Annotated[list[tuple[Name, Kind]], Meta(min_length=1)]

    @classmethod
    def of(cls, table: Table) -> Shape:
        """As this version's schema has it."""
        return cls(str(table.name), [(str(column.name), _kind(column.type)) for column in table.columns])

    @property
    def names(self) -> list[str]:
        """Of the columns, in their order."""
        return [name for name, _ in self.columns]


def shapes(*, without: frozenset[str] = frozenset()) -> list[Shape]:
    """Every table of this version but those, by name."""
    return [Shape.of(table) for name, table in sorted(METADATA.tables.items()) if name not in without]


def _kind(column_type: object) -> Kind:
    if isinstance(column_type, Boolean):
        return "flag"
    if isinstance(column_type, LargeBinary):
        return "octets"
    return "text" if getattr(column_type, "python_type", None) is str else "whole"


class Lines:
    """Turns the rows of one table into lines (a JSON array, octets in base64) and back."""

    def __init__(self, shape: Shape) -> None:
        self._octets = [place for place, (_, kind) in enumerate(shape.columns) if kind == "octets"]
        self._flags = [place for place, (_, kind) in enumerate(shape.columns) if kind == "flag"]
        self._decode = msgspec.json.Decoder(list[str | int | bool | None]).decode
        self._width = len(shape.columns)

    def line(self, row: Row) -> bytes:
        """The same for the same row, whichever database it came from: SQLite knows no truth values."""
        if self._flags:
            values = list(row)
            for place in self._flags:
                values[place] = bool(values[place])
            row = values
        return _encode(row)

    def row(self, line: bytes) -> list[Any]:
        """Raises ValueError for anything else."""
        values: list[Any] = list(self._decode(line))
        if len(values) != self._width:
            raise ValueError("a row of another width")
        for place in self._octets:
            if values[place] is not None:
                values[place] = base64.b64decode(values[place], validate=True)
        return values


class Checksum:
    """Of the rows of a table in whatever order: how many, and the sum of the SHA-256 of their lines modulo 2**256."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, line: bytes) -> None:
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(line).digest(), "big")) & _MASK

    def text(self) -> str:
        """64 hex digits."""
        return f"{self._sum:064x}"
