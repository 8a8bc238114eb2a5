"""``ostiary grant``: what each authorization of a user gave an application; list that, and end it."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ostiary.cli.administration import Administration, Row
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, show
from ostiary.cli.typed import with_dates

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List and revoke the grants of users.")

_COLUMNS = ("grant_id", "client_id", "scopes", "session_id", "created_at", "expires_at", "ended_at")


@app.command("list")
@operator_command
def list_grants(
    where: Where,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's id or user name.")],
    everything: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
) -> None:
    """List the grants of a user that stand."""

    async def act(administration: Administration) -> list[Row]:
        found = await administration.users.show(user)
        return await administration.users.grants(str(found["user_id"]))

    rows = [row for row in where.run(act) if everything or _stands(row)]
    show(rows if where.output is Format.JSON else [with_dates(row) for row in rows], where.output, columns=_COLUMNS)
    next_step("ostiary grant revoke GRANT_ID" if rows else f"ostiary consent list {user}")


@app.command("revoke")
@operator_command
def revoke(
    where: Where, grant_id: Annotated[str, typer.Argument(metavar="GRANT_ID", help="As `grant list` shows it.")]
) -> None:
    """End a grant, with its refresh token and every access token."""
    row = where.run(lambda administration: administration.users.revoke_grant(grant_id))
    show(row if where.output is Format.JSON else with_dates(row), where.output)
    next_step(f"the consent stands: ostiary consent revoke {row['user_id']} {row['client_id']} takes that back, too")


def _stands(row: Row) -> bool:
    return row["ended_at"] is None and (row["expires_at"] is None or time.time() < row["expires_at"])
