"""``ostiary api``: register, list, show APIs, each with an identity of its own if a key is made or given."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated

import typer

from ostiary.admin.clients import new_client_id
from ostiary.admin.commands import NewApi, NewKey
from ostiary.cli.administration import Administration, Row
from ostiary.cli.client import show_row
from ostiary.cli.generated import generate_key, key_from_file, public_key, with_file
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, show
from ostiary.cli.typed import described_scopes, one_sentence, with_dates
from ostiary.errors import ConfigurationError
from ostiary.model.api import TokenFormat
from ostiary.protocol.credential import API, Credential
from ostiary.protocol.jwk import SigningKey

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Register, list, show APIs.")

_COLUMNS = ("identifier", "name", "state", "token_format", "token_life", "client_id", "source")

Identifier = Annotated[
    str, typer.Argument(metavar="IDENTIFIER", help="The API's identifier, such as https://orders.example.com.")
]


@app.command("create")
@operator_command
def create(
    where: Where,
    identifier: Identifier,
    name: Annotated[str | None, typer.Option("--name", help="For people (default: the identifier).")] = None,
    owner: Annotated[str, typer.Option("--owner", help="The person or team that answers for it.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE[=DESCRIPTION]", help="A scope that exists at this API; repeatable."),
    ] = None,
    tokens: Annotated[
        str, typer.Option("--tokens", help="Which access tokens it wants: self-contained or reference.")
    ] = "self-contained",
    alg: Annotated[
        str, typer.Option("--alg", help="The algorithm of its self-contained tokens, and of the generated key.")
    ] = "ES256",
    life: Annotated[int | None, typer.Option("--life", help="Its tokens live so many seconds.")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key of the API's own identity: JWK, JWKS or PEM.")
    ] = None,
    generate: Annotated[
        Path | None, typer.Option("--generate", help="Make that key pair and write the API's credential file.")
    ] = None,
) -> None:
    """Register an API. With a key it has an identity of its own: for introspection, key lookup and traces."""
    if key is not None and generate is not None:
        raise ConfigurationError("--key and --generate are both given: either the API has a key, or it gets one")
    made = None if generate is None else generate_key(alg)
    keys = [] if key is None else [NewKey(key=key_from_file(key))]
    keys = keys if made is None else [public_key(made)]
    with one_sentence():
        command = NewApi(
            identifier=identifier,
            name=name or identifier[:200],
            owner=owner,
            scopes=described_scopes(scope or []),
            token_format=_format(tokens),
            token_alg=alg,
            token_life=life,
            client_id=new_client_id("api") if keys else None,
            keys=keys,
        )
    row = where.run(lambda administration: _create(administration, command, made, generate))
    show_row({**row, **({"credential_file": str(generate)} if generate else {})}, where.output)
    first = next(iter(row["scopes"]), "SCOPE")
    next_step(f"ostiary client create CLIENT_ID --api {identifier} --scope {first} --generate FILE")


def _format(text: str) -> TokenFormat:
    match text:
        case "self-contained" | "reference":
            return text
        case _:
            raise ConfigurationError(f"--tokens {text!r}: choose self-contained or reference")


def _create(
    administration: Administration, command: NewApi, made: SigningKey | None, file: Path | None
) -> Awaitable[Row]:
    if made is None or file is None:
        return administration.create_api(command)
    credential = Credential(API, administration.issuer, str(command.client_id), made, command.identifier)
    return with_file(file, credential, lambda: administration.create_api(command))


@app.command("list")
@operator_command
def list_apis(where: Where) -> None:
    """List the APIs."""
    rows = where.run(lambda administration: administration.apis())
    show(rows if where.output is Format.JSON else [with_dates(row) for row in rows], where.output, columns=_COLUMNS)
    next_step("ostiary api show IDENTIFIER" if rows else "ostiary api create IDENTIFIER --generate FILE")


@app.command("show")
@operator_command
def show_api(where: Where, identifier: Identifier) -> None:
    """Show one API."""
    row = where.run(lambda administration: administration.api(identifier))
    show_row(row, where.output)
    if row["client_id"]:
        next_step(f"ostiary client keys list {row['client_id']}: the keys of its own identity")
    else:
        next_step(f"ostiary client create CLIENT_ID --api {identifier} --scope SCOPE --generate FILE")
