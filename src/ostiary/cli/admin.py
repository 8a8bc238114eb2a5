"""``ostiary admin``: the first administrator, made on the server's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostiary.admin.commands import NewClient
from ostiary.cli.administration import Row
from ostiary.cli.administration_local import LocalAdministration
from ostiary.cli.client import show_row
from ostiary.cli.generated import generate_key, with_file
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import next_step
from ostiary.cli.typed import one_sentence
from ostiary.protocol.credential import CLIENT, Credential

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The first administrator.")


@app.callback()
def admin() -> None:
    """The first administrator."""


@app.command("bootstrap")
@operator_command
def bootstrap_administrator(
    where: Where,
    generate: Annotated[Path, typer.Option("--generate", help="The administrator's credential file to write.")],
    client_id: Annotated[str, typer.Option("--id", help="The administrator's client id.")] = "admin",
    alg: Annotated[str, typer.Option("--alg", help="The algorithm of the key.")] = "ES256",
) -> None:
    """Make the admin API known and a client that may use it; possible only on the server's own machine."""
    with one_sentence():
        NewClient(client_id=client_id, name=client_id)
    key = generate_key(alg)

    async def act(administration: LocalAdministration) -> tuple[Row, str]:
        async def register() -> Row:
            return await administration.bootstrap(client_id, key.verification_key)

        credential = Credential(CLIENT, administration.issuer, client_id, key)
        row = await with_file(generate, credential, register)
        management = administration.settings.management
        return row, f"http://{management.host}:{management.port}/admin"

    row, url = where.run_locally(act)
    show_row({**row, "credential_file": str(generate), "admin_url": url}, where.output)
    next_step(f"ostiary client list --admin-url {url} --admin-file {generate}")
