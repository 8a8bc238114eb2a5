"""Copies a stopped installation from SQLite to PostgreSQL: the same installation, nothing ended, nothing lost.

The source is held alone while it is copied: SQLite gives that to whoever asks only while no server has the file open,
and a server that is started meanwhile answers 503. The target is opened by nobody until the end, when what stands in it
has been compared with what was read: rows and checksums of each table, and the audit log against its signatures. A run
that was killed is simply run again; it begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ostiary.audit import tags
from ostiary.audit.export import HeadsFile
from ostiary.audit.report import Report
from ostiary.audit.verify import verify
from ostiary.backup.databases import View, database
from ostiary.backup.file import Progress
from ostiary.backup.filled import Told, compare, fill
from ostiary.backup.make import COPIED
from ostiary.backup.place import make_room
from ostiary.backup.shape import Checksum, Lines, Row, Shape, shapes
from ostiary.errors import ConfigurationError
from ostiary.revocation.act import Act
from ostiary.settings import Settings
from ostiary.storage.filling import begin_filling
from ostiary.storage.migrate import POSTGRES, UNFINISHED, check
from ostiary.storage.open import storage_for

COMMAND = "migrate sqlite-to-postgres"
_MARKS = "replay_marks"


@dataclass(frozen=True, slots=True)
class Migrated:
    """told: the rows and the checksum of each table; report: of the audit log, in the target."""

    told: Told
    report: Report


def sqlite_to_postgres(settings: Settings, to: str, *, clock: Callable[[], float], progress: Progress) -> Migrated:
    """Copy the database of ``settings`` into the empty PostgreSQL database ``to``.

    Raises ConfigurationError (the source is being served, the target is not empty, something was lost) and Unavailable.
    """
    source = settings.storage.url
    if source.startswith(POSTGRES) or not to.startswith(POSTGRES):
        raise ConfigurationError("The source must be sqlite:///PATH in storage.url, the target postgresql://....")
    if problem := check(source):
        raise ConfigurationError(problem)
    conditions = COPIED | {_MARKS: f"bucket > {int(clock())}"}
    with database(source).still() as view:
        make_room(to, replace=False, now=clock())
        begin_filling(to, COMMAND)
        told = _copied(view, to, conditions, progress)
        return Migrated(told, asyncio.run(_finish(settings, to, told, clock)))


def _copied(view: View, to: str, conditions: dict[str, str], progress: Progress) -> Told:
    """Fill and compare. Of used proofs those are left out that have ended: PostgreSQL keeps one mark of each alone."""
    target, told = database(to), {}

    def rows_of(shape: Shape) -> Iterable[Row]:
        lines, checksum = Lines(shape), Checksum()
        for row in view.rows(shape, conditions.get(shape.name, "")):
            checksum.add(lines.line(row))
            if checksum.rows % 20_000 == 0:
                progress(shape.name, checksum.rows)
            yield row
        progress(shape.name, checksum.rows)
        told[shape.name] = (checksum.rows, checksum.text())

    fill(target, shapes(), rows_of)
    compare(target, shapes(), told, lambda table, rows: progress(f"comparing {table}", rows))
    return told


async def _finish(settings: Settings, to: str, told: Told, clock: Callable[[], float]) -> Report:
    """The audit log is verified where it now stands; then the target may be opened."""
    storage = storage_for(to)
    await storage.open(filling=True)
    try:
        heads = settings.audit.heads_file
        report = await verify(storage, HeadsFile(heads) if heads is not None else None, clock=clock)
        if any(finding.kind != "sealing_behind" for finding in report.findings):
            found = report.findings[0]
            raise ConfigurationError(
                f"The audit log does not verify in PostgreSQL: {found.what} `ostiary audit verify`."
            )
        act = Act("cli", clock(), "sqlite to postgres")
        async with storage.write() as work:
            name = await work.setting("installation_id") or ""
            rows = str(sum(count for count, _ in told.values()))
            await work.audit.append(act.event(tags.INSTALLATION_MIGRATED, name, rows=rows, tables=str(len(told))))
            await work.set_setting(UNFINISHED, "")
    finally:
        await storage.close()
    return report
