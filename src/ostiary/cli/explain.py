"""``ostiary explain TRACE``: each check behind a refusal, the server's or an API's; a trace file needs no server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ostiary.cli import FAILED
from ostiary.cli.output import Format, FormatOption, fail, next_step, safe, show
from ostiary.errors import ConfigurationError
from ostiary.extras import missing_extra
from ostiary.trace import Check, TraceRecord
from ostiary.trace_sinks import find_in_file

app = typer.Typer(add_completion=False, help="Show each check behind a refusal, by its trace id.")

_SERVER = "server"


@app.command()
def explain(
    trace: Annotated[str, typer.Argument(help="The trace id that the caller was given (tr_...).")],
    trace_file: Annotated[
        Path | None,
        typer.Option("--trace-file", envvar="OSTIARY_TRACE_FILE", help="The trace file of an API on this machine."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="The settings file of the local server.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show what was checked in which order, what was seen, what was expected, and what to do about it."""
    trace_id = trace.strip().strip('"')
    found, days = _in_file(trace_file, trace_id), None
    if found is None:
        found, days = _in_database(config, trace_id, trace_file)
    if found is None:
        fail(_not_found(trace_id, trace_file, days), FAILED)
    record, source = found
    if output is Format.JSON:
        show({**msgspec.to_builtins(record), "source": source}, output)
        return
    typer.echo(story(record, source))
    mend = next((check.mend for check in record.checks if not check.passed and check.mend), "")
    next_step(mend or "compare what was seen with what was expected")


def story(record: TraceRecord, source: str) -> str:
    """The trace for a person: who and what, then the checks in their order."""
    at = datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    teller = "the authorization server" if source == _SERVER else source
    head = [
        f"{record.trace_id}: {record.kind} {record.outcome} by {teller} at {at}",
        f"The caller was told: {record.public}",
        *(f"  {name}: {value}" for name, value in record.context.items()),
    ]
    width = max((len(check.name) for check in record.checks), default=0)
    lines = [line for check in record.checks for line in _told(check, width)]
    return safe("\n".join([*head, "", *lines]))


def _told(check: Check, width: int) -> list[str]:
    mark, indent = ("✓" if check.passed else "✗"), " " * (width + 4)
    facts = [("seen", check.seen), ("expected", check.expected), ("mend", check.mend)]
    if check.passed:
        seen = f"  {check.seen}" if check.seen else ""
        return [f"{mark} {check.name:<{width}}{seen}".rstrip()]
    return [f"{mark} {check.name}", *(f"{indent}{name + ':':<10}{value}" for name, value in facts if value)]


def _in_file(path: Path | None, trace_id: str) -> tuple[TraceRecord, str] | None:
    record = find_in_file(path, trace_id) if path is not None else None
    return (record, f"the API that writes {path}") if record is not None else None


def _in_database(
    config: Path | None, trace_id: str, trace_file: Path | None
) -> tuple[tuple[TraceRecord, str] | None, int | None]:
    """The trace, and how many days traces are kept there; None and None if there is no database to look into."""
    try:
        from ostiary.cli.local import local_settings, open_local
    except ModuleNotFoundError as error:
        if trace_file is not None:
            return None, None
        raise missing_extra("server", error) from error

    async def look() -> tuple[TraceRecord, str] | None:
        async with open_local(config) as local, local.storage.read() as work:
            return await work.traces.get(trace_id)

    try:
        settings = local_settings(config)
    except ConfigurationError:
        if trace_file is not None and config is None:
            return None, None  # an API's machine: there need not be a server here
        raise
    return asyncio.run(look()), settings.traces.retention_days


def _not_found(trace_id: str, trace_file: Path | None, days: int | None) -> str:
    places = [str(trace_file)] if trace_file is not None else []
    if days is None:
        return (
            f"There is no trace {trace_id} in {places[0]}. If the authorization server refused, explain it there; if"
            " this API did, the file may have been written over since."
        )
    places.append("the database")
    return (
        f"There is no trace {trace_id} in {' and '.join(places)}. It is older than {days} days (traces.retention_days);"
        " or the request was refused before it was read (too large, a doubled header), or in a flood that was only"
        " counted (ostiary audit list --tag refusals:summarised): it stands in the server's log alone: look for the"
        " id there; or an API refused and has not sent it: name the API's own file by --trace-file; or another server"
        " did."
    )
