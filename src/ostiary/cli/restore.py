"""``ostiary restore``: an installation's data from a backup; what was issued before is refused from then on."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ostiary.backup.restore import Restored
from ostiary.backup.restore import restore as restore_backup
from ostiary.cli.backup import BackupFile, told
from ostiary.cli.local import local_settings
from ostiary.cli.options import ConfigOption
from ostiary.cli.output import Format, FormatOption, next_step, note, show
from ostiary.cli.progress import Progressing
from ostiary.key_management.file import FileKeyManagement

app = typer.Typer(add_completion=False)


@app.command(help="Fill an empty database from a backup. Every token, session and refresh token of before ends.")
def restore(
    file: BackupFile,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the backup in the place of what the database holds.")
    ] = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Restore."""
    settings = local_settings(config)
    keys = FileKeyManagement.from_settings(settings.keys)
    with Progressing() as progress:
        done = restore_backup(settings, file, keys, replace=replace, clock=time.time, progress=progress)
    show({**told(done.contents, file), "epoch": done.ended.epoch, **_cut(done)}, output)
    if done.kept is not None:
        note(f"What was there before is kept in {done.kept}.")
    next_step(
        "ostiary serve; then end again what was ended after the backup (clients, users, keys, certificates), and make"
        " again what was made after it: a backup does not know of either"
    )


def _cut(done: Restored) -> dict[str, object]:
    """What the audit log lost, by the file of heads."""
    if done.cut is None:
        return {"audit_segments_lost": "unknown: there is no audit.heads_file"}
    return {"audit_segments_lost": done.cut.lost, "audit_rows_lost": done.cut.rows}
