"""``ostiary user``: make, list, show, change, disable, enable users, give them a password, import them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ostiary.admin.user_commands import NewPassword, NewUser, UserChanges
from ostiary.cli.administration import Administration, Row
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, note, show
from ostiary.cli.password_input import read_password
from ostiary.cli.typed import one_sentence, with_dates
from ostiary.cli.user_factors import app as factors_app
from ostiary.cli.user_import import ReportOption, import_file
from ostiary.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Make, list, show, change, disable, import users.")
app.add_typer(factors_app, name="factors")

_COLUMNS = ("user_id", "username", "state", "email", "email_verified", "created_at")

User = Annotated[str, typer.Argument(metavar="USER", help="The user's id or user name.")]
Email = Annotated[str | None, typer.Option("--email", help="The e-mail address; another one is not verified yet.")]
Verified = Annotated[
    bool | None, typer.Option("--email-verified/--email-not-verified", help="They have shown that they read it.")
]
FullName = Annotated[str | None, typer.Option("--name", help="The full name, the claim name.")]
Claim = Annotated[
    list[str] | None,
    typer.Option("--claim", metavar="NAME=VALUE", help="A standard claim, its value as text or JSON; repeatable."),
]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="The file that holds the password; - for standard input.")
]


@app.command("create")
@operator_command
def create(
    where: Where,
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="What they type to sign in.")],
    email: Email = None,
    email_verified: Verified = None,
    name: FullName = None,
    claim: Claim = None,
    password_file: PasswordFile = None,
) -> None:
    """Make a user; without a password they cannot sign in yet."""
    password = None if password_file is None else read_password(password_file)
    with one_sentence():
        command = NewUser(
            username=username,
            email=email or "",
            email_verified=bool(email_verified),
            claims=_claims(name, claim) or {},
            password=password,
        )
    row = where.run(lambda administration: administration.users.create(command))
    show_user(row, where.output)
    if password is None:
        next_step(f"ostiary user set-password {row['username']} gives them a password")
    else:
        next_step("let them sign in; ostiary client create CLIENT_ID --redirect-uri URI registers an application")


@app.command("list")
@operator_command
def list_users(
    where: Where, email: Annotated[str, typer.Option("--email", help="Only those of this address.")] = ""
) -> None:
    """List the users."""
    rows = where.run(lambda administration: administration.users.all(email))
    show(rows if where.output is Format.JSON else [with_dates(row) for row in rows], where.output, columns=_COLUMNS)
    next_step("ostiary user show USER" if rows else "ostiary user create USERNAME")


@app.command("show")
@operator_command
def show_one(where: Where, user: User) -> None:
    """Show one user."""
    row = where.run(lambda administration: administration.users.show(user))
    show_user(row, where.output)
    next_step(f"ostiary user factors list {row['user_id']}; ostiary session list, consent list, grant list")


@app.command("change")
@operator_command
def change(
    where: Where,
    user: User,
    username: Annotated[str | None, typer.Option("--username", help="What they type to sign in.")] = None,
    email: Email = None,
    email_verified: Verified = None,
    name: FullName = None,
    claim: Claim = None,
) -> None:
    """Change what is named; what is not named stays. A claim with an empty value is taken away."""
    given: dict[str, Any] = {"username": username, "email": email, "email_verified": email_verified}
    wanted = _claims(name, claim)

    async def act(administration: Administration) -> Row:
        present = await administration.users.show(user)
        if wanted is not None:
            merged = {**present["claims"], **wanted}
            given["claims"] = {claim_name: value for claim_name, value in merged.items() if value != ""}
        with one_sentence():
            changes = UserChanges(**{member: value for member, value in given.items() if value is not None})
        if not changes.model_fields_set:
            raise ConfigurationError("nothing to change was named: see ostiary user change --help")
        return await administration.users.change(str(present["user_id"]), changes)

    row = where.run(act)
    show_user(row, where.output)
    next_step("applications learn of it with their next ID token, or when they ask userinfo")


@app.command("set-password")
@operator_command
def set_password(
    where: Where,
    user: User,
    password_file: PasswordFile = None,
    keep_sessions: Annotated[bool, typer.Option("--keep-sessions", help="Do not end the user's sessions.")] = False,
) -> None:
    """Give a user a new password, from a file, standard input or the terminal; their sessions end."""
    with one_sentence():
        command = NewPassword(password=read_password(password_file), keep_sessions=keep_sessions)

    async def act(administration: Administration) -> Row:
        found = await administration.users.show(user)
        return await administration.users.set_password(str(found["user_id"]), command)

    row = where.run(act)
    show_user(row, where.output)
    if not keep_sessions:
        note("The user's sessions were ended.")
    next_step("tell them the password by a way that nobody else hears, and let them change it on their own page")


@app.command("disable")
@operator_command
def disable(where: Where, user: User) -> None:
    """Refuse the user from now on, and end every session, grant and token of theirs."""

    async def act(administration: Administration) -> Row:
        found = await administration.users.show(user)
        return await administration.users.disable(str(found["user_id"]))

    row = where.run(act)
    show_user(row, where.output)
    next_step(f"ostiary user enable {row['user_id']} lets them in again; what was ended stays ended")


@app.command("enable")
@operator_command
def enable(where: Where, user: User) -> None:
    """Let a disabled user in again."""

    async def act(administration: Administration) -> Row:
        found = await administration.users.show(user)
        return await administration.users.enable(str(found["user_id"]))

    row = where.run(act)
    show_user(row, where.output)
    next_step(f"ostiary user factors list {row['user_id']}: is each factor still in good hands?")


@app.command("import")
@operator_command
def import_users(
    where: Where,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines, one user a line; - for standard input.")],
    report: ReportOption = None,
) -> None:
    """Make the users of a file; who is there already stays as they are, and what does not fit is reported.

    A line holds username, and may hold email, email_verified, standard claims, and password_hash (argon2, bcrypt or
    PBKDF2).
    """
    import_file(where, file, report)


def show_user(row: Row, output: Format) -> None:
    """One user: as they are in JSON, with dates for people in a table."""
    show(row if output is Format.JSON else with_dates(row), output)


def _claims(name: str | None, pairs: list[str] | None) -> dict[str, Any] | None:
    if name is None and not pairs:
        return None
    claims: dict[str, Any] = {} if name is None else {"name": name}
    for pair in pairs or []:
        member, equals, text = pair.partition("=")
        if not equals:
            raise ConfigurationError(f"--claim {pair!r}: write it as NAME=VALUE, such as locale=en-GB")
        claims[member] = _value(text)
    return claims


def _value(text: str) -> Any:
    """true, false and objects are JSON; everything else is text, a number too: a claim such as a year is no number."""
    if text in ("true", "false") or text.startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
