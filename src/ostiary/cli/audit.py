"""``ostiary audit``: read, verify, erase from and prune the audit log of the installation on this machine."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ostiary.audit.erase import erase
from ostiary.audit.export import HeadsFile
from ostiary.audit.report import Report
from ostiary.audit.retention import drop_older
from ostiary.audit.verify import verify
from ostiary.cli import FAILED
from ostiary.cli.local import open_local
from ostiary.cli.options import ConfigOption
from ostiary.cli.output import Format, FormatOption, next_step, note, show
from ostiary.errors import ConfigurationError
from ostiary.model.audit_row import AuditRow

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Read and verify the audit log.")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PAGE = 1000
_COLUMNS = ("at", "tag", "outcome", "actor", "target", "reason", "trace_id")

Actor = Annotated[str | None, typer.Option("--actor", help="Who acted.")]
Target = Annotated[str | None, typer.Option("--target", help="What it was done to.")]
TraceId = Annotated[str | None, typer.Option("--trace", help="The trace id.")]


@app.command("list")
def list_rows(
    tag: Annotated[str | None, typer.Option("--tag", help="Such as token:refused.")] = None,
    actor: Actor = None,
    target: Target = None,
    trace: TraceId = None,
    since: Annotated[str, typer.Option("--since", help="A time (2027-01-15T08:00) or an age (30m, 12h, 7d).")] = "1d",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, the newest.")] = 50,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List events, oldest first."""

    async def read() -> list[AuditRow]:
        newest: deque[AuditRow] = deque(maxlen=limit)
        async with open_local(config) as local, local.storage.read() as work:
            after: tuple[int, str, int] | None = (_milliseconds(since, local.clock()), "", 0)
            while after is not None:
                rows = await work.audit.query(
                    tag=tag, actor=actor, target=target, trace_id=trace, after=after, limit=_PAGE
                )
                newest.extend(rows)
                after = (rows[-1].at, rows[-1].writer, rows[-1].number) if len(rows) == _PAGE else None
        return list(newest)

    shown = [_shown(row) for row in asyncio.run(read())]
    show(shown, output, columns=_COLUMNS)
    next_step("ostiary explain TRACE shows the checks behind a refusal; ostiary audit verify proves the log")


@app.command("verify")
def verify_log(
    heads: Annotated[
        Path | None, typer.Option("--heads", help="The file of heads (default: audit.heads_file).")
    ] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Look at every row and every signature; exit code 1 if anything is wrong."""
    if heads is not None and not heads.is_file():
        raise ConfigurationError(f"There is no file of heads {heads}; name the one that audit.heads_file wrote.")

    async def run() -> tuple[Report, bool]:
        async with open_local(config) as local:
            path = heads or local.settings.audit.heads_file
            file = HeadsFile(path) if path is not None else None
            return await verify(local.storage, file, clock=local.clock, progress=_progress()), file is not None

    report, with_file = asyncio.run(run())
    _show_report(report, output)
    if not with_file:
        note("Without a file of heads a cut or restored database cannot be found: set audit.heads_file.")
    if not report.good:
        next_step(report.findings[0].mend)
        raise typer.Exit(FAILED)
    next_step("copy the file of heads to another machine now and then; --heads verifies against the copy")


@app.command("erase")
def erase_personal(
    actor: Actor = None, target: Target = None, trace: TraceId = None, config: ConfigOption = None
) -> None:
    """Erase the personal data (addresses, names) of the rows that match; the rows and the chain stay."""
    if actor is None and target is None and trace is None:
        raise typer.BadParameter("name the rows by --actor, --target or --trace")

    async def run() -> int:
        async with open_local(config) as local:
            now = int(local.clock())
            return await erase(local.storage, by="cli", now=now, actor=actor, target=target, trace_id=trace)

    note(f"Erased the personal data of {asyncio.run(run())} rows.")
    next_step("ostiary audit verify; backups that are older still hold what was erased")


@app.command("prune")
def prune(
    older_than: Annotated[
        int | None, typer.Option("--older-than", min=1, help="Days (default: audit.retention_days).")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Drop the rows of whole sealed segments that are older than the retention; a running server folds their heads."""

    async def run() -> str:
        async with open_local(config) as local:
            days = older_than or local.settings.audit.retention_days
            if days is None:
                raise ConfigurationError("No retention is set: give --older-than DAYS or set audit.retention_days.")
            now = int(local.clock())
            done = await drop_older(local.storage, before=now - days * 86_400, now=now, actor="cli")
            return f"Dropped {done.rows} rows of {done.segments} segments."

    note(asyncio.run(run()))
    next_step("ostiary audit verify")


def _shown(row: AuditRow) -> dict[str, object]:
    at = datetime.fromtimestamp(row.at / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "at": at,
        "tag": row.tag,
        "outcome": row.outcome,
        "actor": row.actor,
        "target": row.target,
        "key_thumbprint": row.key_thumbprint,
        "reason": row.reason,
        "trace_id": row.trace_id,
        "details": row.details,
        "personal": row.personal,
        "row": f"{row.writer}:{row.number}",
        "segment": row.segment,
    }


def _show_report(report: Report, output: Format) -> None:
    if output is Format.JSON:
        show({**msgspec.to_builtins(report), "good": report.good}, output)
        return
    if report.findings:
        show([msgspec.to_builtins(finding) for finding in report.findings], output, columns=("kind", "where", "what"))
    mark = "✓" if report.good else "✗"
    dropped = f", {report.dropped} dropped by retention" if report.dropped else ""
    typer.echo(f"{mark} {report.rows} rows in {report.segments} sealed segments{dropped}; {_unsealed(report)}")
    if report.vouched_since is not None:
        since = datetime.fromtimestamp(report.vouched_since, UTC).isoformat(timespec="seconds")
        typer.echo(f"  vouches for what was sealed after {since}, from segment {report.vouched_from} on")
    for restored in report.restores:
        at = datetime.fromtimestamp(restored.at, UTC).isoformat(timespec="seconds")
        cut = f"segments {restored.first_lost} to {restored.last_lost} ({restored.rows_lost} rows)"
        typer.echo(f"  restored at {at} from a backup: {cut} are lost, their heads stand in the file")
    typer.echo(f"  exported up to segment {report.exported}, {report.not_exported} not exported yet")


def _unsealed(report: Report) -> str:
    if report.unsealed_since is None:
        return "none unsealed"
    since = datetime.fromtimestamp(report.unsealed_since / 1000, UTC).isoformat(timespec="seconds")
    return f"{report.unsealed} unsealed since {since}"


def _progress() -> Callable[[int], None] | None:
    """Says on a terminal, every so often, how far it is."""
    if not sys.stderr.isatty():
        return None
    told = 0

    def tell(rows: int) -> None:
        nonlocal told
        if rows - told >= 5000:
            told = rows
            typer.echo(f"\r{rows} rows verified", err=True, nl=False)

    return tell


def _milliseconds(since: str, now: float) -> int:
    """The time that ``since`` means. Raises typer.BadParameter."""
    if age := re.fullmatch(r"(\d{1,9})([smhd])", since):
        return max(0, int((now - int(age[1]) * _UNITS[age[2]]) * 1000))
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise typer.BadParameter(f"{since!r} is neither a time (2027-01-15T08:00) nor an age (30m, 12h, 7d)") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
