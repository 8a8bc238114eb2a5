"""``ostiary ca``: trust a private CA on this machine; for operators: make one, show, export, replace, end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostiary.cli.operator_half import add_operator_commands
from ostiary.cli.output import Format, FormatOption, next_step, show
from ostiary.client.ca_trust import fetch_roots
from ostiary.client.certificate_file import replace_public_file

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The private certificate authority.")

add_operator_commands(
    app, "ostiary.cli.ca_operator", ("init", "show", "export", "rotate", "retire", "revoke", "next-root")
)


@app.command("trust")
def trust(
    url: Annotated[str, typer.Option("--url", help="The CA's issuer, such as https://auth.example.com.")],
    fingerprint: Annotated[
        str, typer.Option("--fingerprint", help="SHA-256 of the root, hex, as its operator told it (ostiary ca show).")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where to write the root, in PEM.")] = Path("ostiary-root.pem"),
    output: FormatOption = Format.TABLE,
) -> None:
    """Fetch the CA's root, and keep it only if its fingerprint is the one that you were told."""
    replace_public_file(out, fetch_roots(url, fingerprint))
    show({"root": str(out), "fingerprint": fingerprint}, output)
    next_step(f"ostiary cert request --issuer {url} --roots-file {out} --token-file FILE --out FILE")
