"""``ostiary admin``: what only the server's own machine may do: the first administrator, a new epoch."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ostiary.admin.commands import NewClient
from ostiary.cli import USAGE
from ostiary.cli.administration import Row
from ostiary.cli.administration_local import LocalAdministration
from ostiary.cli.client import show_row
from ostiary.cli.generated import generate_key, with_file
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import fail, next_step, show
from ostiary.cli.typed import one_sentence
from ostiary.protocol.credential import CLIENT, Credential

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What only this machine may do.")


@app.callback()
def admin() -> None:
    """What only this machine may do."""


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


@app.command("new-epoch")
@operator_command
def new_epoch(
    where: Where,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")] = "the database lost writes",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """End every token, session and refresh token issued until now: for a database that lost writes by a fail-over."""
    if not yes:
        _confirm()
    ended = where.run_locally(lambda administration: administration.begin_epoch(reason), patient=True)
    show(asdict(ended), where.output)
    next_step(
        "clients get new tokens by themselves in some seconds, once their proofs must be new; users sign in again;"
        " what was revoked, disabled or changed in the lost time must be done again: ostiary audit list"
    )


def _confirm() -> None:
    what = "every token, session and refresh token that was issued until now"
    if not sys.stdin.isatty():
        fail(f"This ends {what}: add --yes if that is meant.", USAGE)
    if not typer.confirm(f"End {what}?", err=True):
        fail("Nothing was changed.")
