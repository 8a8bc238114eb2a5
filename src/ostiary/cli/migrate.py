"""``ostiary migrate``: the installation from one database into another."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ostiary.backup.migrate import sqlite_to_postgres
from ostiary.cli.local import local_settings
from ostiary.cli.options import ConfigOption
from ostiary.cli.output import Format, FormatOption, next_step, show
from ostiary.cli.progress import Progressing
from ostiary.errors import ConfigurationError
from ostiary.secret_files import read_secret_file

app = typer.Typer(no_args_is_help=True, add_completion=False, help="From one database into another.")
TO = "OSTIARY_MIGRATE_TO"


@app.callback()
def migrate() -> None:
    """From one database into another."""


@app.command("sqlite-to-postgres")
def to_postgres(
    to: Annotated[
        str | None, typer.Option("--to", help=f"postgresql://USER@HOST/DATABASE, without a password (or {TO}).")
    ] = None,
    to_file: Annotated[
        Path | None, typer.Option("--to-file", help="A file of mode 0600 with the URL, for one with a password.")
    ] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Copy a stopped installation into an empty PostgreSQL database, and compare what came of it."""
    settings, url = local_settings(config), _target(to, to_file)
    with Progressing() as progress:
        done = sqlite_to_postgres(settings, url, clock=time.time, progress=progress)
    rows = [{"table": name, "rows": count, "checksum": text[:16]} for name, (count, text) in done.told.items()]
    show(rows, output)
    next_step("name the PostgreSQL database in storage.url, start ostiary serve, and keep the SQLite file unserved")


def _target(to: str | None, to_file: Path | None) -> str:
    """Others on this machine see arguments, so a password comes by the environment or a file."""
    if to_file is not None:
        return read_secret_file(to_file).decode("utf-8", "replace").strip()
    if to is not None and urlsplit(to).password:
        raise ConfigurationError(
            f"Arguments are no place for a password: put the URL into {TO}, or a file (--to-file)."
        )
    url = to or os.environ.get(TO)
    if not url:
        raise ConfigurationError(f"Name the PostgreSQL database by --to, --to-file or {TO}.")
    return url
