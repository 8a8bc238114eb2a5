"""How far a long command is: one line on a terminal that is written over, nothing where nobody looks."""

from __future__ import annotations

import sys
from types import TracebackType

from ostiary.cli.output import safe


class Progressing:
    """``with Progressing() as progress: progress("clients", 20000)``; the line is wiped at the end."""

    def __enter__(self) -> Progressing:
        self._shown = sys.stderr.isatty()
        return self

    def __call__(self, what: str, count: int) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{safe(what)}: {count}")
            sys.stderr.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
