"""``ostiary api``: register, list, show, change, disable APIs; one has an identity of its own if it has a key."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any

import typer

from ostiary.admin.clients import new_client_id
from ostiary.admin.commands import ApiChanges, NewApi, NewKey
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

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Register, list, show, change, disable APIs.")

_COLUMNS = ("identifier", "name", "state", "token_format", "token_life", "client_id", "source")
_FEED = ("readers", "behind", "seen")
"""Of its processes that follow the revocation feed: how many there are, how many rows the slowest is behind, and how
many seconds ago the quietest was heard of."""

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
    status_list: Annotated[
        bool,
        typer.Option("--status-list", help="Its self-contained tokens have a place in a Token Status List."),
    ] = False,
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
            status_list=status_list,
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
    """List the APIs, each with its processes that follow the revocation feed and how far behind they are."""
    rows = where.run(_listed)
    shown = rows if where.output is Format.JSON else [with_dates(row) for row in rows]
    show(shown, where.output, columns=(*_COLUMNS, *_FEED))
    next_step("ostiary api show IDENTIFIER" if rows else "ostiary api create IDENTIFIER --generate FILE")


@app.command("show")
@operator_command
def show_api(where: Where, identifier: Identifier) -> None:
    """Show one API, with its processes that follow the revocation feed and how far behind they are."""
    row = where.run(lambda administration: _shown(administration, identifier))
    show_row(row, where.output)
    if row["client_id"]:
        next_step(f"ostiary client keys list {row['client_id']}: the keys of its own identity")
    else:
        next_step(f"ostiary client create CLIENT_ID --api {identifier} --scope SCOPE --generate FILE")


async def _listed(administration: Administration) -> list[Row]:
    following = await _following(administration)
    return [{**row, **following.get(row["identifier"], {})} for row in await administration.apis()]


async def _shown(administration: Administration, identifier: str) -> Row:
    row = await administration.api(identifier)
    return {**row, **(await _following(administration)).get(identifier, {})}


async def _following(administration: Administration) -> dict[str, Row]:
    found = await administration.revocation_readers(0)
    return {row["identifier"]: {name: row[name] for name in _FEED} for row in found}


@app.command("change")
@operator_command
def change(
    where: Where,
    identifier: Identifier,
    name: Annotated[str | None, typer.Option("--name", help="Its new name.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Its new owner.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", metavar="SCOPE[=DESCRIPTION]", help="All scopes that exist at it from now on; repeatable."
        ),
    ] = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", help="Which access tokens it wants: self-contained or reference.")
    ] = None,
    alg: Annotated[str | None, typer.Option("--alg", help="The algorithm of its self-contained tokens.")] = None,
    life: Annotated[int | None, typer.Option("--life", help="Its tokens live so many seconds.")] = None,
    status_list: Annotated[
        bool | None,
        typer.Option("--status-list/--no-status-list", help="Whether its next tokens have a place in a status list."),
    ] = None,
) -> None:
    """Change what is named; what is not named stays. It binds the next token that is issued for the API."""
    given: dict[str, Any] = {
        "name": name,
        "owner": owner,
        "scopes": None if scope is None else described_scopes(scope),
        "token_format": None if tokens is None else _format(tokens),
        "token_alg": alg,
        "token_life": life,
        "status_list": status_list,
    }
    with one_sentence():
        changes = ApiChanges(**{member: value for member, value in given.items() if value is not None})
    if not changes.model_fields_set:
        raise ConfigurationError("nothing to change was named: see ostiary api change --help")
    show_row(where.run(lambda administration: administration.change_api(identifier, changes)), where.output)
    if scope is not None:
        next_step("ostiary client list: a client has of its scopes those that the API still has; grant it new ones")
    else:
        next_step("tokens of before stay as they are until they end; ostiary api disable refuses them at introspection")


@app.command("disable")
@operator_command
def disable(where: Where, identifier: Identifier) -> None:
    """Issue no token for the API from the next request on; those that it has are inactive at introspection."""
    show_row(where.run(lambda administration: administration.disable_api(identifier)), where.output)
    next_step(
        f"ostiary api enable {identifier} lets it in again, with the tokens that are left; an API that verifies"
        " self-contained tokens by itself goes on taking them until they end"
    )


@app.command("enable")
@operator_command
def enable(where: Where, identifier: Identifier) -> None:
    """Let a disabled API have tokens again."""
    show_row(where.run(lambda administration: administration.enable_api(identifier)), where.output)
    next_step(f"ostiary api show {identifier}: are its scopes and the life of its tokens still right?")
