"""``ostiary session``: where a user is signed in; list that, and end it."""

from __future__ import annotations

from typing import Annotated

import typer

from ostiary.cli.administration import Administration, Row
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, note, show
from ostiary.cli.typed import with_dates
from ostiary.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List and end the sessions of users.")

_COLUMNS = ("session_id", "device", "address", "amr", "created_at", "last_seen_at", "expires_at")


@app.command("list")
@operator_command
def list_sessions(
    where: Where, user: Annotated[str, typer.Argument(metavar="USER", help="The user's id or user name.")]
) -> None:
    """List the sessions of a user that stand, the last used first."""

    async def act(administration: Administration) -> list[Row]:
        found = await administration.users.show(user)
        return await administration.users.sessions(str(found["user_id"]))

    _tell(where.output, where.run(act))
    next_step(f"ostiary session end SESSION_ID, or ostiary session end --user {user} for all of them")


@app.command("end")
@operator_command
def end(
    where: Where,
    session_id: Annotated[
        str | None, typer.Argument(metavar="[SESSION_ID]", help="As `session list` shows it.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="All sessions of this user.")] = None,
) -> None:
    """End a session, or all sessions of a user, with the tokens that hang on them."""
    if (session_id is None) == (user is None):
        raise ConfigurationError("give either SESSION_ID, one session, or --user USER, all sessions of a user")

    async def act(administration: Administration) -> list[Row]:
        if session_id is not None:
            return [await administration.users.end_session(session_id)]
        found = await administration.users.show(str(user))
        return await administration.users.end_sessions(str(found["user_id"]))

    rows = where.run(act)
    if not rows:
        note("There was no session to end.")
    _tell(where.output, rows)
    next_step(
        "grants with offline_access outlive it: ostiary grant list USER; ostiary user disable USER ends everything"
    )


def _tell(output: Format, rows: list[Row]) -> None:
    show(rows if output is Format.JSON else [with_dates(row) for row in rows], output, columns=_COLUMNS)
