"""``ostiary login``: sign a user in with the browser of this machine, as a public native application (RFC 8252)."""

from __future__ import annotations

import os
import webbrowser
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ostiary.cli.output import Format, FormatOption, next_step, note, show
from ostiary.cli.user_file import UserFile, user_file
from ostiary.client import Application, UserTokenFile, UserTokens
from ostiary.client.loopback import LoopbackListener
from ostiary.errors import ConfigurationError

app = typer.Typer(add_completion=False)

Client = Annotated[str | None, typer.Option("--client", help="The id of a public native client, such as demo-app.")]
Issuer = Annotated[str | None, typer.Option("--issuer", help="Where to sign in, such as http://localhost:8400.")]
Resource = Annotated[str | None, typer.Option("--resource", help="The identifier of the API to call.")]
Scope = Annotated[list[str] | None, typer.Option("--scope", help="A scope to ask for; may be repeated.")]
MaxAge = Annotated[int | None, typer.Option("--max-age", min=0, help="The sign-in is at most so many seconds old.")]
Levels = Annotated[list[str] | None, typer.Option("--acr-values", help="A level that will do; may be repeated.")]
Prompt = Annotated[str | None, typer.Option("--prompt", help="login, consent or select_account.")]
LoginHint = Annotated[str | None, typer.Option("--login-hint", help="Whose sign-in it will be.")]
RedirectPath = Annotated[str, typer.Option("--redirect-path", help="The path of the client's loopback redirect URI.")]
OpenBrowser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser, or only print the URL.")]
Seconds = Annotated[int, typer.Option("--timeout", min=1, max=3600, help="Seconds to wait for the user.")]


@dataclass(frozen=True, slots=True)
class _Login:
    """Who signs in where, and for what."""

    client: str
    issuer: str
    resource: str | None
    scope: str


@app.command(help="Sign a user in with the browser of this machine; the tokens go to a file that you alone can read.")
def login(
    user: UserFile = None,
    client: Client = None,
    issuer: Issuer = None,
    resource: Resource = None,
    scope: Scope = None,
    max_age: MaxAge = None,
    acr_values: Levels = None,
    prompt: Prompt = None,
    login_hint: LoginHint = None,
    redirect_path: RedirectPath = "/callback",
    browser: OpenBrowser = True,
    seconds: Seconds = 300,
    output: FormatOption = Format.TABLE,
) -> None:
    """What is not said is taken from the file, so that ``ostiary login`` alone signs in again."""
    file = UserTokenFile(user_file(user))
    wanted = _wanted(file, client, issuer, resource, scope)
    application = Application(issuer=wanted.issuer, client_id=wanted.client)
    with LoopbackListener(redirect_path) as listener:
        request = application.begin(
            scope=wanted.scope,
            resource=wanted.resource,
            redirect_uri=listener.redirect_uri,
            prompt=prompt,
            max_age=max_age,
            acr_values=acr_values or (),
            login_hint=login_hint,
        )
        listener.expect(request.pending.state)
        note(f"Open this in a browser of this machine to sign in:\n\n  {request.url}\n")
        if browser:
            webbrowser.open(request.url)
        answer = listener.wait(seconds=seconds)
    tokens = application.finish(request.pending, answer)
    with file.held():
        file.save(tokens)
    show(_told(tokens, file.path), output)
    next_step(f"ostiary curl --user {file.path} URL" if tokens.resource else "name an API by --resource to call one")


def _wanted(
    file: UserTokenFile, client: str | None, issuer: str | None, resource: str | None, scope: list[str] | None
) -> _Login:
    if os.path.lexists(file.path):
        before = file.load()
        if (client or before.client_id) != before.client_id or (issuer or before.issuer) != before.issuer:
            raise ConfigurationError(
                f"{file.path} holds the tokens of {before.client_id} at {before.issuer}: name another file by --user."
            )
        client, issuer, resource = before.client_id, before.issuer, resource or before.resource
        scope = scope or before.asked_scope.split()
    if not client or not issuer:
        raise ConfigurationError("Who signs in where? Name the application by --client and the server by --issuer.")
    # Whoever signs in wants to know as whom; and without it there is no userinfo.
    asked = dict.fromkeys(["openid", *(scope or ())])
    return _Login(client, issuer, resource, " ".join(asked))


def _told(tokens: UserTokens, file: Path) -> dict[str, object]:
    signed_in = tokens.claims.get("auth_time")
    when = datetime.fromtimestamp(signed_in, UTC) if isinstance(signed_in, int | float) else None
    return {
        "user": tokens.subject,
        "signed_in_at": None if when is None else f"{when:%Y-%m-%d %H:%M:%S} UTC",
        "level": tokens.claims.get("acr"),
        "scope": tokens.scope,
        "resource": tokens.resource,
        "refreshes": tokens.refresh_token is not None,
        "file": str(file),
    }
