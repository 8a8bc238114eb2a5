"""The options that say which installation an operator's command is for; a base install can show them too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The settings file (default: OSTIARY_CONFIG, ./ostiary.toml, else .ostiary/)."),
]
"""The option of every command that works on the local installation: ``config: ConfigOption = None``."""

DirectoryOption = Annotated[
    Path | None, typer.Option("--directory", help="The data of ostiary dev, if not in ./.ostiary.", file_okay=False)
]

AdminUrl = Annotated[
    str | None,
    typer.Option(
        "--admin-url", envvar="OSTIARY_ADMIN_URL", help="Ask this admin API, such as https://host:8401/admin."
    ),
]
AdminFile = Annotated[
    Path | None,
    typer.Option("--admin-file", envvar="OSTIARY_ADMIN_FILE", help="The administrator's credential file for it."),
]
