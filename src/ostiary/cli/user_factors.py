"""``ostiary user factors``: by what a user can prove themselves; list them, take one away."""

from __future__ import annotations

from typing import Annotated

import typer

from ostiary.cli.administration import Administration, Row
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, show
from ostiary.cli.typed import with_dates

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List and remove a user's factors.")

_COLUMNS = ("factor_id", "kind", "name", "created_at", "last_used_at")

User = Annotated[str, typer.Argument(metavar="USER", help="The user's id or user name.")]


@app.command("list")
@operator_command
def list_factors(where: Where, user: User) -> None:
    """List the factors of a user, with when each was last used."""

    async def act(administration: Administration) -> list[Row]:
        found = await administration.users.show(user)
        return await administration.users.factors(str(found["user_id"]))

    rows = where.run(act)
    show(rows if where.output is Format.JSON else [with_dates(row) for row in rows], where.output, columns=_COLUMNS)
    next_step(
        f"ostiary user factors remove {user} FACTOR_ID --end-sessions, if it is in other hands"
        if rows
        else f"ostiary user set-password {user}: without a factor they cannot sign in"
    )


@app.command("remove")
@operator_command
def remove(
    where: Where,
    user: User,
    factor_id: Annotated[str, typer.Argument(metavar="FACTOR_ID", help="As `user factors list` shows it.")],
    end_sessions: Annotated[bool, typer.Option("--end-sessions", help="End the user's sessions, too.")] = False,
) -> None:
    """Take a factor from a user."""

    async def act(administration: Administration) -> Row:
        found = await administration.users.show(user)
        user_id = str(found["user_id"])
        return await administration.users.remove_factor(user_id, factor_id, end_sessions=end_sessions)

    row = where.run(act)
    show(row if where.output is Format.JSON else with_dates(row), where.output)
    next_step(f"ostiary user factors list {user}: do they still have one to sign in with?")
