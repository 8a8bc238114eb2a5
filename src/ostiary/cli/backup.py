"""``ostiary backup``: the installation's data in one file, made beside running servers; and whether a file is sound."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ostiary.backup.file import Contents, sealing, verify
from ostiary.backup.make import make
from ostiary.cli.local import local_settings
from ostiary.cli.options import ConfigOption, DirectoryOption
from ostiary.cli.output import Format, FormatOption, next_step, show
from ostiary.cli.progress import Progressing
from ostiary.key_management.file import FileKeyManagement

app = typer.Typer(add_completion=False)

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the backup.", dir_okay=False)]
NOT_IN_IT = "not in it: the key-encryption key, settings, other files, keys in a token, the root's key, the heads file"


@app.command(help="Write everything that the database holds into one new file, with mode 0600; servers go on.")
def backup(
    file: BackupFile,
    check: Annotated[bool, typer.Option("--verify", help="Only see whether FILE is whole and ours.")] = False,
    config: ConfigOption = None,
    directory: DirectoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Make a backup, or look at one."""
    settings = local_settings(config, directory=directory)
    keys = FileKeyManagement.from_settings(settings.keys)
    with Progressing() as progress:
        if check:
            contents = verify(file, sealing(keys.wrap_secret, keys.unwrap_secret)[1], progress)
        else:
            contents = make(settings.storage.url, file, keys, now=time.time(), progress=progress)
    show(told(contents, file), output)
    if check:
        next_step(f"ostiary restore {file}, into an empty database")
    else:
        next_step(f"ostiary backup --verify {file}; then copy it to another machine ({NOT_IN_IT})")


def told(contents: Contents, file: Path) -> dict[str, object]:
    """What a backup holds, as a row."""
    header = contents.header
    return {
        "file": str(file),
        "installation": header.installation,
        "made_at": datetime.fromtimestamp(header.made_at, UTC).isoformat(timespec="seconds"),
        "version": header.version,
        "schema": header.schema,
        "tables": len(contents.tables),
        "rows": contents.end.rows,
        "sha256": contents.end.sha256,
    }
