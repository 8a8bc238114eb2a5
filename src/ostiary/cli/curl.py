"""``ostiary curl``: one call to an API as a client, by our own httpx2 client (it does not run the program curl)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from ostiary.cli import FAILED
from ostiary.cli.output import next_step, note, safe
from ostiary.cli.token import ClientFile
from ostiary.client import ClientAuth, ClientRequestAuth
from ostiary.client.origins import origin_of
from ostiary.client.refusal import read_refusal
from ostiary.errors import ConfigurationError, Unavailable

app = typer.Typer(add_completion=False)
_SECRET_FIELDS = frozenset({"authorization", "proxy-authorization", "cookie"})


@app.command(help="Call an API as a client: with a token, or with --direct by a request signed with the client's key.")
def curl(
    url: Annotated[str, typer.Argument(metavar="URL", help="What to call.")],
    client_file: ClientFile = None,
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
    auth = _direct(client_file, resource, url, origin) if direct else _by_token(client_file, resource, scope, origin)
    body = _body(data)
    verb = (method or ("GET" if body is None else "POST")).upper()
    try:
        with httpx2.Client(auth=auth, timeout=30.0) as http:
            response = http.request(verb, url, content=body, headers=_headers(header))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unavailable("API", f"{type(error).__name__} at {url.split('?', 1)[0]}: {error}") from error
    note(f"{response.status_code} {response.reason_phrase}")
    sys.stdout.buffer.write(response.content)
    sys.stdout.buffer.flush()
    if response.content and not response.content.endswith(b"\n"):
        sys.stderr.write("\n")  # on a terminal the notes begin on a line of their own; the body stays as it came
    if response.status_code >= 400:
        _tell_refusal(response)
        raise SystemExit(FAILED)
    next_step("the same in Python: httpx2.Client(auth=ostiary.client.ClientAuth.from_file(...))")


def _by_token(
    file: Path | None, resource: str | None, scope: list[str] | None, origins: list[str] | None
) -> httpx2.Auth:
    return ClientAuth.from_file(file, resource=resource, scope=scope, origins=origins)


def _direct(file: Path | None, resource: str | None, url: str, origins: list[str] | None) -> httpx2.Auth:
    return ClientRequestAuth.from_file(file, audience=resource or origin_of(url), origins=origins)


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
