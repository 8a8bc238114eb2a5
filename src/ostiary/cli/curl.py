"""``ostiary curl``: one call to an API as a client or as a user, by our own httpx2 client (not the program curl)."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import httpx2
import typer

from ostiary.cli import FAILED
from ostiary.cli.output import next_step, note, safe
from ostiary.cli.token import ClientFile
from ostiary.client import ClientAuth, ClientRequestAuth, SignInRequired, StepUpRequired, UserAuth
from ostiary.client.origins import origin_of
from ostiary.client.refusal import read_refusal
from ostiary.errors import ConfigurationError, Unavailable

app = typer.Typer(add_completion=False)
_SECRET_FIELDS = frozenset({"authorization", "proxy-authorization", "cookie"})


@app.command(
    help="Call an API as a client: with a token, or with --direct by a request signed with the client's key; "
    "or with --user as the user who signed in by ostiary login."
)
def curl(
    url: Annotated[str, typer.Argument(metavar="URL", help="What to call.")],
    client_file: ClientFile = None,
    user: Annotated[
        Path | None,
        typer.Option("--user", metavar="FILE", help="A user's tokens, from ostiary login."),
    ] = None,
    resource: Annotated[
        str | None, typer.Option("--resource", help="The API's identifier (default: the API is asked).")
    ] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="A scope to ask for; may be repeated.")] = None,
    method: Annotated[str | None, typer.Option("-X", "--request", help="The method (GET, or POST with data).")] = None,
    data: Annotated[
        str | None, typer.Option("-d", "--data", help="The body; @FILE reads a file, @- standard input.")
    ] = None,
    header: Annotated[list[str] | None, typer.Option("-H", "--header", help="A header, as 'Name: value'.")] = None,
    direct: Annotated[bool, typer.Option("--direct", help="Sign the request itself, use no token.")] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", help="Where that API is reached, if not at its identifier's own origin."),
    ] = None,
) -> None:
    """Call ``url``: status and reason go to standard error, the body to standard output."""
    if not url.lower().startswith(("http://", "https://")):
        raise ConfigurationError(f"{url} is no URL: write it with http:// or https:// in front.")
    auth = _authentication(user, client_file, resource, scope, direct=direct, url=url, origins=origin)
    body = _body(data)
    verb = (method or ("GET" if body is None else "POST")).upper()
    response = _sent(auth, user, verb, url, body, _headers(header))
    note(f"{response.status_code} {response.reason_phrase}")
    sys.stdout.buffer.write(response.content)
    sys.stdout.buffer.flush()
    if response.content and not response.content.endswith(b"\n"):
        sys.stderr.write("\n")  # on a terminal the notes begin on a line of their own; the body stays as it came
    if response.status_code >= 400:
        _tell_refusal(response)
        raise SystemExit(FAILED)
    next_step(f"the same in Python: httpx2.Client(auth=ostiary.client.{type(auth).__name__}.from_file(...))")


def _authentication(
    user: Path | None,
    client_file: Path | None,
    resource: str | None,
    scope: list[str] | None,
    *,
    direct: bool,
    url: str,
    origins: list[str] | None,
) -> httpx2.Auth:
    if user is not None:
        if client_file is not None or direct or resource is not None or scope:
            raise ConfigurationError("--user has its tokens: leave out --client-file, --direct, --resource, --scope.")
        return UserAuth.from_file(user, origins=origins)
    if direct:
        return ClientRequestAuth.from_file(client_file, audience=resource or origin_of(url), origins=origins)
    return ClientAuth.from_file(client_file, resource=resource, scope=scope, origins=origins)


def _sent(
    auth: httpx2.Auth, user: Path | None, verb: str, url: str, body: bytes | None, headers: list[tuple[str, str]]
) -> httpx2.Response:
    try:
        transport = auth.transport() if isinstance(auth, ClientAuth) else None
        with httpx2.Client(auth=auth, timeout=30.0, transport=transport) as http:
            return http.request(verb, url, content=body, headers=headers)
    except (SignInRequired, StepUpRequired) as error:
        _tell_sign_in(error, user)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unavailable("API", f"{type(error).__name__} at {url.split('?', 1)[0]}: {error}") from error


def _tell_sign_in(error: SignInRequired | StepUpRequired, user: Path | None) -> NoReturn:
    note(f"Error: {error}" + (f": {error.description}" if isinstance(error, StepUpRequired) else ""))
    options = [f"--user {user}"]
    if isinstance(error, StepUpRequired):
        options += [f"--max-age {error.max_age}"] if error.max_age is not None else []
        options += [f"--acr-values {shlex.quote(level)}" for level in error.acr_values]
    next_step(f"ostiary login {' '.join(options)}")
    raise SystemExit(FAILED)


def _body(data: str | None) -> bytes | None:
    if data is None or not data.startswith("@"):
        return None if data is None else data.encode()
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{data[1:]} cannot be read: {error.strerror}.") from error


def _headers(lines: list[str] | None) -> list[tuple[str, str]]:
    headers = []
    for line in lines or ():
        name, colon, value = line.partition(":")
        if not colon or name.strip().lower() in _SECRET_FIELDS:
            raise ConfigurationError("A header is 'Name: value', and none that holds a secret: others see arguments.")
        headers.append((name.strip(), value.strip()))
    return headers


def _tell_refusal(response: httpx2.Response) -> None:
    refusal = read_refusal(response.headers.get_list("www-authenticate"))
    if refusal is None:
        next_step("read the body above; the API gave no reason in WWW-Authenticate")
        return
    note(f"Refused: {refusal.error or 'no error code'}" + (f", {refusal.description}" if refusal.description else ""))
    if refusal.scope:
        note(f"The API asks for the scope: {refusal.scope}")
    next_step(f"ostiary explain {safe(refusal.trace)}" if refusal.trace else "check resource and scope of the token")
