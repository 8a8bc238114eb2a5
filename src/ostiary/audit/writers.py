"""The numbers of the audit log's writers: gapless for each, so that a hole is a row that somebody took away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ostiary.audit.head import Ranges


class WriterNumbers:
    """Collects the numbers seen for each writer, in any order; it holds only runs, so a long log needs little."""

    def __init__(self) -> None:
        self._runs: dict[str, Ranges] = {}

    def add(self, writer: str, first: int, last: int) -> None:
        """Numbers ``first`` to ``last`` of ``writer`` are there."""
        runs = self._runs.setdefault(writer, [])
        if runs and runs[-1][1] + 1 == first:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))

    def add_all(self, seen: Mapping[str, Ranges]) -> None:
        for writer, runs in seen.items():
            for first, last in runs:
                self.add(writer, first, last)

    def gaps(self) -> Iterator[tuple[str, int, int]]:
        """The holes: writer, first and last missing number. A writer's numbers begin at 1."""
        for writer, runs in sorted(self._runs.items()):
            expected = 1
            for first, last in sorted(runs):
                if first > expected:
                    yield writer, expected, first - 1
                expected = max(expected, last + 1)
