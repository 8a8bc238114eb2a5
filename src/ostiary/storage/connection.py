"""The port through which the repositories reach a driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ostiary.storage.statements import Statement

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


class Conflict(Exception):
    """A unique key is taken. The repository that knows what it means turns it into its own sentence."""


class Connection(Protocol):
    """One database connection inside one transaction.

    Every method raises ``Unavailable`` when the database cannot answer and ``Conflict`` when a unique key is taken.
    """

    async def one(self, statement: Statement, parameters: Parameters) -> Row | None:
        """The first row, or None."""
        ...

    async def all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        """Every row."""
        ...

    async def run(self, statement: Statement, parameters: Parameters) -> int:
        """Run a statement that changes rows; how many it changed."""
        ...

    async def later(self, statement: Statement, parameters: Parameters) -> None:
        """Run a statement whose answer nobody wants, at the latest before the next one or the commit.

        Where that costs a trip less, it is sent with the next one, and its failure is told there.
        """
        ...

    async def run_for_each(self, statement: Statement, parameters: Sequence[Parameters]) -> int:
        """Run a statement that changes rows once for each set of parameters; how many rows they changed together."""
        ...
