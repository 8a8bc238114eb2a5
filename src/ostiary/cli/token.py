"""``ostiary token``: get, inspect, revoke access tokens as a client; list and revoke them as the operator.

For the client's part a base install with the extra cli is enough.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ostiary.cli.options import AdminFile, AdminUrl, ConfigOption, DirectoryOption
from ostiary.cli.output import Format, FormatOption, next_step, note, show
from ostiary.client.assertion import ClientProof
from ostiary.client.authorization_server import AuthorizationServerCalls
from ostiary.client.credential_file import CLIENT_FILE_VARIABLE, load_api_credential
from ostiary.client.exchange import Shell
from ostiary.client.own_client import own_proof
from ostiary.client.token_request import AccessToken, scope_text
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.extras import missing_extra
from ostiary.protocol import jws, token_format
from ostiary.protocol.credential import Credential

MAX_TOKEN_BYTES = 65_536

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Get, inspect, list, revoke access tokens.")

ClientFile = Annotated[
    Path | None, typer.Option("--client-file", help="The client's credential file (or OSTIARY_CLIENT_FILE).")
]
TokenFile = Annotated[
    Path | None, typer.Option("--file", help="A file that holds the token; without it, standard input is read.")
]


@app.command("get")
def get(
    client_file: ClientFile = None,
    resource: Annotated[str | None, typer.Option("--resource", help="The API's identifier.")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="A scope to ask for; may be repeated.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Get an access token; it is printed alone, so that it can be piped."""
    wanted = " ".join(scope or ())
    calls, shell = _own_calls(client_file)
    token = shell.run(calls.token(resource=resource, scope=scope_text(wanted)))
    if output is Format.JSON:
        show(_as_answer(token), Format.JSON)
    else:
        sys.stdout.write(token.value + "\n")
    life = int(token.expires_at - token.obtained_at)
    note(f"A token for {life} s" + (f" with the scope: {token.scope}" if token.scope else ""))
    next_step(
        "ostiary curl URL, with the same options, calls the API; ostiary token inspect shows what the token holds"
    )


@app.command("inspect")
def inspect(
    file: TokenFile = None,
    api_key_file: Annotated[
        Path | None, typer.Option("--api-key-file", help="An API's credential file: ask the server (introspection).")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say what a token is. It is read here, unverified; with an API's own credential the server is asked about it."""
    token = read_token(file)
    if api_key_file is not None:
        calls = _calls(load_api_credential(api_key_file))
        show(_with_times(Shell().run(calls.introspect(token))), output)
        next_step("where it is not active: ostiary explain TRACE, with the trace id of the refusal")
        return
    show(_described(token), output)
    note("This only takes the token apart: whether it is genuine, alive or revoked is not known from here.")
    next_step("ostiary token inspect --api-key-file API.json asks the server about it")


@app.command("list")
def list_tokens(
    client: Annotated[str, typer.Option("--client", help="The id of the client whose tokens they are.")],
    after: Annotated[str, typer.Option("--after", help="Go on after this jti.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 100,
    config: ConfigOption = None,
    directory: DirectoryOption = None,
    admin_url: AdminUrl = None,
    admin_file: AdminFile = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List the tokens of a client that have not expired, as the operator; the tokens themselves nobody has."""
    with _operator_part():
        from ostiary.cli import issued_tokens
        from ostiary.cli.operator import Where
    where = Where(config, directory, admin_url, admin_file, output)
    issued_tokens.list_tokens(where, client, after=after, limit=limit)


@app.command("revoke")
def revoke(
    client_file: ClientFile = None,
    file: TokenFile = None,
    jti: Annotated[
        str | None, typer.Option("--jti", help="As the operator: end the token of this id, whosever it is.")
    ] = None,
    config: ConfigOption = None,
    directory: DirectoryOption = None,
    admin_url: AdminUrl = None,
    admin_file: AdminFile = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """End a token of this client, read from standard input or a file; or, as the operator, any token by its --jti."""
    if jti is not None:
        if client_file is not None or file is not None:
            raise ConfigurationError("--jti is the operator's way: leave out --client-file and --file")
        with _operator_part():
            from ostiary.cli import issued_tokens
            from ostiary.cli.operator import Where
        issued_tokens.revoke_token(Where(config, directory, admin_url, admin_file, output), jti)
        return
    if config is not None or directory is not None:
        raise ConfigurationError("--config and --directory are the operator's: name the token by --jti")
    if client_file is None and CLIENT_FILE_VARIABLE not in os.environ:
        raise ConfigurationError(
            f"Whose token? As its client, name the client's file by --client-file or {CLIENT_FILE_VARIABLE};"
            " as the operator, name the token by --jti (ostiary token list shows it)."
        )
    calls, shell = _own_calls(client_file)
    shell.run(calls.revoke(read_token(file)))
    note("The server has taken the revocation; a token that was not this client's stays as it is.")
    next_step("ostiary token get, for a new one")


@contextmanager
def _operator_part() -> Iterator[None]:
    """The operator's commands need what a server needs; a base install has the client's alone."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_extra("server", error) from error


def read_token(file: Path | None) -> str:
    """The token in ``file``, or on standard input; never in the arguments, where other users of the machine see it."""
    if file is None and sys.stdin.isatty():
        note("Paste the token, then press Enter and Ctrl-D.")
    try:
        octets = sys.stdin.buffer.read(MAX_TOKEN_BYTES + 1) if file is None else _read(file)
        token = octets.decode("ascii").strip()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ConfigurationError("That is no token: it holds characters beyond ASCII.") from None
    if not token or len(octets) > MAX_TOKEN_BYTES or any(character.isspace() for character in token):
        raise ConfigurationError("Give one token, on standard input or with --file.")
    return token


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_TOKEN_BYTES + 1)


def _own_calls(client_file: Path | None) -> tuple[AuthorizationServerCalls, Shell]:
    proof, certificate = own_proof(client_file)
    tls = None if certificate is None else certificate.current().context
    return AuthorizationServerCalls(proof), Shell(tls=tls)


def _calls(credential: Credential) -> AuthorizationServerCalls:
    return AuthorizationServerCalls(ClientProof(credential, clock=time.time))


def _as_answer(token: AccessToken) -> dict[str, object]:
    return {
        "access_token": token.value,
        "token_type": "Bearer",
        "expires_in": int(token.expires_at - token.obtained_at),
        "scope": token.scope,
    }


def _described(token: str) -> dict[str, object]:
    if token_format.looks_like(token):
        opaque = token_format.parse(token)
        kinds = {token_format.REFERENCE_ACCESS_TOKEN: "reference access token"}
        return {
            "kind": kinds.get(opaque.kind, f"Ostiary secret of the kind {opaque.kind}"),
            "installation": opaque.installation,
            "checksum": "right",
        }
    try:
        parsed = jws.parse(token)
        claims = parsed.claims()
    except VerificationError as error:
        raise ConfigurationError(f"That is neither a signed JWT nor a secret of Ostiary: {error.seen}.") from None
    kind = "self-contained access token" if parsed.header.typ == "at+jwt" else f"JWT of the type {parsed.header.typ}"
    return {
        "kind": kind,
        "signature": "not checked",
        "alg": parsed.header.alg,
        "kid": parsed.header.kid,
        **_with_times(claims),
    }


def _with_times(members: dict[str, object]) -> dict[str, object]:
    return {name: _time(value) if name in ("exp", "iat", "nbf") else value for name, value in members.items()}


def _time(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 253_402_300_800:
        return value
    return f"{value} ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC)"
