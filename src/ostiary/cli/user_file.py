"""The option that names the file with a user's tokens, which ``ostiary login`` writes and ``ostiary curl`` uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

USER_FILE_VARIABLE = "OSTIARY_USER_FILE"
DEFAULT = Path("ostiary-user.json")

UserFile = Annotated[
    Path | None,
    typer.Option("--user", metavar="FILE", help=f"The user's tokens (or {USER_FILE_VARIABLE}; default {DEFAULT})."),
]


def user_file(named: Path | None) -> Path:
    """The file that was named, or the one that ``OSTIARY_USER_FILE`` names, or ``ostiary-user.json`` here."""
    return named or Path(os.environ.get(USER_FILE_VARIABLE) or DEFAULT)
