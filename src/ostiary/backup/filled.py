"""Fills a database table by table, and compares what then stands in it with what was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ostiary.backup.databases import Database, View
from ostiary.backup.file import Progress
from ostiary.backup.make import COPIED
from ostiary.backup.shape import Checksum, Lines, Row, Shape
from ostiary.errors import ConfigurationError

Told = Mapping[str, tuple[int, str]]
"""For each table how many rows it has, and the text of their checksum."""


def summed(view: View, tables: Sequence[Shape], conditions: Mapping[str, str], progress: Progress) -> Told:
    """What stands in the tables."""
    told = {}
    for shape in tables:
        lines, checksum = Lines(shape), Checksum()
        for row in view.rows(shape, conditions.get(shape.name, "")):
            checksum.add(lines.line(row))
        progress(shape.name, checksum.rows)
        told[shape.name] = (checksum.rows, checksum.text())
    return told


def compare(target: Database, tables: Sequence[Shape], expected: Told, progress: Progress) -> None:
    """Raises ConfigurationError if a row is missing, too much or another than it was."""
    with target.view() as view:
        found = summed(view, tables, COPIED, progress)
    for name, told in expected.items():
        if found[name] != told:
            raise ConfigurationError(
                f"The table {name} has not become what it was: {found[name][0]} rows of {told[0]}. Run the command"
                " again; if that does not help, do not use this database."
            )


def fill(target: Database, tables: Sequence[Shape], rows_of: Callable[[Shape], Iterable[Row]]) -> None:
    """Fill the tables, which are empty, one after the other."""
    for shape in tables:
        target.fill(shape, rows_of(shape))
