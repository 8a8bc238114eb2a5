"""What commands print: results on standard output, as a table or JSON; everything else on standard error.

So a result can be piped, whatever is said about it. Text that came from elsewhere is stripped of control characters
before it reaches a terminal. Colours are used on a terminal only, and never where NO_COLOR is set.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, NoReturn, TextIO

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ostiary.cli import CONFIGURATION, FAILED, UNAVAILABLE
from ostiary.errors import ConfigurationError, OAuthError, OstiaryError, Unavailable, VerificationError

PIPED_WIDTH = 100_000


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]
"""The option that every command with a result takes: ``output: FormatOption = Format.TABLE``."""

Row = Mapping[str, object]


def show(result: Row | Sequence[Row], output: Format = Format.TABLE, *, columns: Sequence[str] | None = None) -> None:
    """Print one object, or a list of rows, on standard output.

    columns: which members a table shows, in which order (default: those of the first row); JSON always holds all.
    """
    if output is Format.JSON:
        sys.stdout.write(json.dumps(result, indent=2, default=str, ensure_ascii=True) + "\n")
        return
    console = _console(sys.stdout)
    if isinstance(result, Mapping):
        console.print(_pairs(result, columns))
    elif not result:
        console.print("(none)")
    else:
        console.print(_table(result, columns or list(result[0])))


def note(text: str) -> None:
    """Tell the person something that is not the result, on standard error."""
    _console(sys.stderr).print(Text(safe(text)))


def next_step(text: str) -> None:
    """End a command with what to do next, on standard error."""
    _console(sys.stderr).print(Text.assemble(("Next: ", "bold"), safe(text)))


def fail(error: OstiaryError | str, exit_code: int | None = None) -> NoReturn:
    """Tell on standard error what went wrong and what to do about it, and leave with its exit code."""
    console = _console(sys.stderr)
    message, step = (error, "") if isinstance(error, str) else _told(error)
    console.print(Text.assemble(("Error: ", "bold red"), safe(message)))
    if step:
        next_step(step)
    raise SystemExit(_exit_code(error) if exit_code is None else exit_code)


def safe(value: object) -> str:
    """``value`` as text without control characters, so that what a server says cannot drive a terminal."""
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _told(error: OstiaryError) -> tuple[str, str]:
    """What went wrong, and what to do about it."""
    # Imported late, because it brings the HTTP client along: a server's commands start without it.
    from ostiary.client.errors import TokenRequestRefused

    match error:
        case TokenRequestRefused():
            said = f": {error.description}" if error.description else ""
            found = f" (trace {error.trace})" if error.trace else ""
            explain = f"ostiary explain {error.trace}" if error.trace else ""
            return f"refused with {error.code}{said}{found}", "; ".join(filter(None, (error.mend, explain)))
        case OAuthError():
            return f"refused with {error.code}: {error.description}", error.mend
        case VerificationError() if error.seen or error.expected:
            return f"{error.public} ({error.check}): seen {error.seen}, expected {error.expected}", error.mend
        case VerificationError():
            return str(error), error.mend
        case Unavailable():
            look = f"see whether it runs and is reached from here; try again in {error.retry_after} s"
            return str(error), error.mend or look
        case _:
            return str(error), ""


def _exit_code(error: OstiaryError | str) -> int:
    match error:
        case ConfigurationError():
            return CONFIGURATION
        case Unavailable():
            return UNAVAILABLE
        case _:
            return FAILED


def _console(stream: TextIO) -> Console:
    # A line that is piped stays one line, and nothing is cut off.
    piped = not stream.isatty()
    return Console(file=stream, highlight=False, markup=False, soft_wrap=piped, width=PIPED_WIDTH if piped else None)


def _pairs(members: Row, columns: Sequence[str] | None) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name in columns or list(members):
        table.add_row(Text(name, style="bold"), Text(_cell(members.get(name))))
    return table


def _table(rows: Sequence[Row], columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(safe(item) for item in value)
    return safe(value)
