"""``ostiary consent``: what users have allowed which applications; list that, and take it back."""

from __future__ import annotations

from typing import Annotated

import typer

from ostiary.cli.administration import Administration, Row
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, note, show
from ostiary.cli.typed import with_dates

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List and revoke the consents of users.")

_COLUMNS = ("client_id", "resource", "scopes", "created_at", "updated_at")

User = Annotated[str, typer.Argument(metavar="USER", help="The user's id or user name.")]


@app.command("list")
@operator_command
def list_consents(where: Where, user: User) -> None:
    """List what a user has allowed, application by application."""

    async def act(administration: Administration) -> list[Row]:
        found = await administration.users.show(user)
        return await administration.users.consents(str(found["user_id"]))

    rows = where.run(act)
    show(rows if where.output is Format.JSON else [with_dates(row) for row in rows], where.output, columns=_COLUMNS)
    next_step(f"ostiary consent revoke {user} CLIENT_ID" if rows else f"ostiary grant list {user}")


@app.command("revoke")
@operator_command
def revoke(
    where: Where,
    user: User,
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The application.")],
) -> None:
    """Forget what a user allowed an application, and end what it got by it."""

    async def act(administration: Administration) -> Row:
        found = await administration.users.show(user)
        return await administration.users.revoke_consent(str(found["user_id"]), client_id)

    row = where.run(act)
    if not row["ended"]:
        note(f"{user} has allowed {client_id} nothing; nothing was changed.")
    show(row, where.output)
    next_step("the application has to ask the user again")
