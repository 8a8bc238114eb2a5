"""``ostiary user import``: JSON Lines, streamed in batches, with progress and a report of what was refused."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any, BinaryIO, Protocol

import typer

from ostiary.admin.user_commands import MAX_BATCH, UserImport
from ostiary.cli import FAILED
from ostiary.cli.administration import Administration
from ostiary.cli.operator import Where
from ostiary.cli.output import next_step, note, show
from ostiary.errors import ConfigurationError, OstiaryError, VerificationError
from ostiary.protocol import strict_json

MAX_LINE = 65_536
MAX_TOLD = 10

ReportOption = Annotated[
    Path | None,
    typer.Option("--report", help="A new file for what was refused: JSON Lines with line, username and reason."),
]


class Progress(Protocol):
    """Told of each line's size in bytes."""

    def __call__(self, advance: int) -> object: ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not empty: its members, or its fault."""

    number: int
    members: dict[str, Any]
    fault: str


@dataclass(slots=True)
class Tally:
    """What has become of the lines so far; ``report`` takes those that were refused."""

    report: IO[str] | None
    counts: dict[str, int] = field(default_factory=lambda: {"made": 0, "there": 0, "refused": 0})
    told: int = 0

    def refuse(self, line: int, username: object, reason: str) -> None:
        """Count and report one."""
        self.counts["refused"] += 1
        named = username if isinstance(username, str) else ""
        if self.report is not None:
            self.report.write(json.dumps({"line": line, "username": named[:200], "reason": reason}) + "\n")
            self.report.flush()
        elif self.told < MAX_TOLD:
            note(f"line {line}: {reason}")
        self.told += 1


def import_file(where: Where, file: Path, report: Path | None) -> None:
    """Import ``file``; leaves with exit code 1 if anything was refused. Raises ConfigurationError and Unavailable."""
    with ExitStack() as stack:
        source = stack.enter_context(_opened(file))
        tally = Tally(None if report is None else stack.enter_context(_report_file(report)))
        advance = stack.enter_context(_progress(source))

        async def act(administration: Administration) -> None:
            await _import(administration, source, tally, advance)

        where.run(act)
    show({**tally.counts, **({"report": str(report)} if report else {})}, where.output)
    _tell(tally, report)
    if tally.counts["refused"]:
        raise SystemExit(FAILED)


async def _import(administration: Administration, source: BinaryIO, tally: Tally, advance: Progress) -> None:
    batch: list[Line] = []
    done = 0
    try:
        for number, size, line in _lines(source):
            if line != b"":
                batch.append(Line(number, *_read(line)))
            if len(batch) >= MAX_BATCH:
                await _send(administration, batch, tally)
                done, batch = number, []
            advance(size)
        if batch:
            await _send(administration, batch, tally)
    except OstiaryError:
        note(f"The lines up to {done} are done. Run it again: who is there already is passed over.")
        raise


async def _send(administration: Administration, batch: list[Line], tally: Tally) -> None:
    users = [line.members for line in batch if not line.fault]
    answers = iter(await administration.users.import_batch(UserImport(users=users)) if users else ())
    for line in batch:
        answer = {"outcome": "refused", "reason": line.fault} if line.fault else next(answers)
        if answer["outcome"] == "refused":
            tally.refuse(line.number, line.members.get("username"), str(answer["reason"]))
        else:
            tally.counts[str(answer["outcome"])] += 1


def _lines(source: BinaryIO) -> Iterator[tuple[int, int, bytes | None]]:
    """Each line with its number and size, without blanks around it; None for one that is longer than any user."""
    number = 0
    while line := source.readline(MAX_LINE + 1):
        number += 1
        size = len(line)
        if size <= MAX_LINE:
            yield number, size, line.strip()
            continue
        while not line.endswith(b"\n") and (line := source.readline(MAX_LINE)):
            size += len(line)
        yield number, size, None


def _read(line: bytes | None) -> tuple[dict[str, Any], str]:
    """The members of a line, and what is wrong with it, which holds nothing of the line."""
    if line is None:
        return {}, f"the line is longer than {MAX_LINE} bytes"
    try:
        return strict_json.decode_object(line), ""
    except VerificationError as error:
        return {}, f"the line is no JSON object: {error.seen or error.public}"


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        source = file.open("rb")
    except OSError as error:
        raise ConfigurationError(f"the file {file} cannot be read: {error.strerror}") from None
    with source:
        yield source


@contextmanager
def _report_file(path: Path) -> Iterator[IO[str]]:
    # It holds user names: for its owner alone.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"the report {path} exists already and is not overwritten: name another") from None
    except OSError as error:
        raise ConfigurationError(f"the report {path} cannot be made: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as report:
        yield report


def _progress(source: BinaryIO) -> AbstractContextManager[Progress]:
    if not sys.stderr.isatty():
        return nullcontext(lambda advance: None)
    return _bar(source)


@contextmanager
def _bar(source: BinaryIO) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    total = os.fstat(source.fileno()).st_size if source.seekable() else None
    with RichProgress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Importing", total=total)
        yield lambda advance: bar.advance(task, advance)


def _tell(tally: Tally, report: Path | None) -> None:
    if tally.told > MAX_TOLD and report is None:
        note(f"{tally.told - MAX_TOLD} more were refused: --report FILE writes all of them down.")
    if tally.counts["refused"]:
        where = f"mend the lines that {report} names" if report else "mend the lines that were refused"
        next_step(f"{where} and run it again; who is there already is passed over")
    else:
        next_step("ostiary user list; users without a password: ostiary user set-password USER")
