"""``ostiary client``: register, list, show, disable, enable clients; their keys are in ``client_keys``."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any

import typer

from ostiary.admin.clients import new_client_id
from ostiary.admin.commands import ClientChanges, NewClient, NewKey
from ostiary.cli.administration import Administration, Row
from ostiary.cli.client_keys import CertificateFile, KeyAlgorithm
from ostiary.cli.client_keys import app as keys_app
from ostiary.cli.generated import generate_key, key_from_file, public_key, with_file
from ostiary.cli.login_options import LoginOptions, login_options
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, show
from ostiary.cli.secret_file import with_secret_file
from ostiary.cli.typed import grants, one_sentence, with_dates
from ostiary.errors import ConfigurationError
from ostiary.model.client import SPIFFE_JWT
from ostiary.model.mutual_tls import CERTIFICATE_METHODS
from ostiary.protocol import token_format
from ostiary.protocol.credential import CLIENT, Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.secret_files import write_secret_file

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Register, list, show, disable clients.")
app.add_typer(keys_app, name="keys")

_COLUMNS = ("client_id", "name", "kind", "state", "owner", "source", "created_at")

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id.")]


@app.command("create")
@operator_command
@login_options(new=True)
def create(
    where: Where,
    login: LoginOptions,
    client_id: Annotated[
        str | None, typer.Argument(metavar="[CLIENT_ID]", help="1 to 64 of A-Z a-z 0-9 . _ ~ - (default: generated).")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="For people (default: the id).")] = None,
    owner: Annotated[str, typer.Option("--owner", help="The person or team that answers for it.")] = "",
    api: Annotated[
        list[str] | None, typer.Option("--api", help="The identifier of an API that it may call; several: --grant.")
    ] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="What it may do at --api; repeatable.")] = None,
    grant: Annotated[
        list[str] | None,
        typer.Option("--grant", metavar="IDENTIFIER=SCOPE,SCOPE", help="The same for several APIs; repeatable."),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its public key: JWK, JWKS or PEM.")] = None,
    generate: Annotated[
        Path | None, typer.Option("--generate", help="Make a key pair and write the client's credential file.")
    ] = None,
    certificate: CertificateFile = None,
    alg: KeyAlgorithm = None,
    jwks_uri: Annotated[str | None, typer.Option("--jwks-uri", help="Where it publishes its keys.")] = None,
    token_life: Annotated[int | None, typer.Option("--token-life", help="At most so many seconds.")] = None,
    may_register_keys: Annotated[
        bool, typer.Option("--may-register-keys", help="It may register its next key by its present one.")
    ] = False,
) -> None:
    """Register a client: give its public key, or make a key pair for it; the private key stays in its file.

    With --redirect-uri it is an application that signs users in, and its scopes are what they can allow it.
    """
    _check_credential(login, key, generate)
    made = None if generate is None or login.secret_method else generate_key(alg or "ES256")
    chosen = client_id or new_client_id("client")
    with one_sentence():
        command = NewClient(
            client_id=chosen,
            name=name or chosen,
            owner=owner,
            **login.members_of_client(),
            scopes=grants(api or [], scope or [], grant or []),
            token_life=token_life,
            jwks_uri=jwks_uri,
            may_register_keys=may_register_keys,
            keys=_keys(made, key, alg, certificate),
        )
    row = where.run(lambda administration: _create(administration, command, made, generate))
    _tell(where.output, row, generate, next(iter(command.scopes), None))


def _check_credential(login: LoginOptions, key: Path | None, generate: Path | None) -> None:
    if key is not None and generate is not None:
        raise ConfigurationError("--key and --generate are both given: either the client has a key, or it gets one")
    method = login.authentication_method
    if method == "none" and (key is not None or generate is not None):
        raise ConfigurationError("--public: such a client can keep no key and no secret: leave out --key, --generate")
    if method in CERTIFICATE_METHODS or method == SPIFFE_JWT:
        if key is not None or generate is not None:
            by = "a JWT-SVID" if method == SPIFFE_JWT else "TLS"
            raise ConfigurationError(f"{method}: such a client proves itself by {by}: leave out --key, --generate")
    elif method not in (None, "none") and (key is not None or generate is None):
        raise ConfigurationError("--secret-method needs --generate FILE, into which the secret is written")


def _keys(made: SigningKey | None, key: Path | None, alg: str | None, certificate: Path | None) -> list[NewKey]:
    if certificate is not None:
        return [NewKey(certificate=key_from_file(certificate))]
    if made is not None:
        return [public_key(made)]
    return [] if key is None else [NewKey(key=key_from_file(key), alg=alg)]


def _create(
    administration: Administration, command: NewClient, made: SigningKey | None, file: Path | None
) -> Awaitable[Row]:
    if file is not None and made is None:
        chosen = str(command.client_id)
        return with_secret_file(file, administration, chosen, lambda: administration.create_client(command))
    if made is None or file is None:
        return _without_secret(administration.create_client(command))
    credential = Credential(CLIENT, administration.issuer, str(command.client_id), made)
    return with_file(file, credential, lambda: _without_secret(administration.create_client(command)))


async def _without_secret(answer: Awaitable[Row]) -> Row:
    return {name: value for name, value in (await answer).items() if name != "client_secret"}


def _tell(output: Format, row: Row, file: Path | None, api: str | None) -> None:
    show_row({**row, **({"credential_file": str(file)} if file else {})}, output)
    if row["login"] is not None:
        next_step(f"ostiary user create USERNAME; the application needs the issuer and client_id {row['client_id']}")
    elif not row["scopes"]:
        next_step(f"ostiary client change {row['client_id']} --grant IDENTIFIER=scope gives it something to do")
    elif file is not None and row["authentication_method"] == "private_key_jwt":
        next_step(f"ostiary token get --client-file {file} --resource {api}")
    else:
        next_step(f"ostiary client keys list {row['client_id']}")


def show_row(row: Row, output: Format) -> None:
    """One object: as it is in JSON, with dates for people in a table, and of a login only what it has."""
    if output is Format.JSON:
        show(row, output)
        return
    parts = {**(row.get("login") or {}), **(row.get("mutual_tls") or {})}
    parts = {name: value for name, value in parts.items() if value not in (None, "", [], False)}
    own = {name: value for name, value in row.items() if name not in ("login", "mutual_tls")}
    show({**with_dates(own), **parts}, output)


@app.command("new-secret")
def new_secret(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file, named by secret_file in ostiary.toml.")],
) -> None:
    """Make a secret for a client of ostiary.toml, for the legacy methods; a registered client gets its own."""
    secret = token_format.generate(token_format.CLIENT_SECRET, token_format.new_installation())
    write_secret_file(file, secret.encode() + b"\n")
    next_step(f'secret_file = "{file}" beside authentication_method = "client_secret_basic"; better, a key')


@app.command("secret")
@operator_command
def secret(
    where: Where,
    client_id: ClientId,
    generate: Annotated[Path, typer.Option("--generate", help="The new file for the new secret.")],
) -> None:
    """Give a client of the legacy methods a new secret; the old one is refused from its next request on."""
    row = where.run(
        lambda administration: with_secret_file(
            generate, administration, client_id, lambda: administration.renew_secret(client_id)
        )
    )
    show_row({**row, "credential_file": str(generate)}, where.output)
    next_step(f"bring {generate} to the client now; better, give it a key: ostiary client keys add {client_id}")


@app.command("list")
@operator_command
def list_clients(where: Where) -> None:
    """List the clients, and the identities of APIs, which are clients of the kind api."""
    rows = where.run(lambda administration: administration.clients())
    show(rows if where.output is Format.JSON else [with_dates(row) for row in rows], where.output, columns=_COLUMNS)
    next_step("ostiary client show CLIENT_ID" if rows else "ostiary client create CLIENT_ID --generate FILE")


@app.command("show")
@operator_command
def show_client(where: Where, client_id: ClientId) -> None:
    """Show one client."""
    show_row(where.run(lambda administration: administration.client(client_id)), where.output)
    next_step(f"ostiary client keys list {client_id}")


@app.command("change")
@operator_command
@login_options(new=False)
def change(
    where: Where,
    login: LoginOptions,
    client_id: ClientId,
    name: Annotated[str | None, typer.Option("--name", help="Its new name.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Its new owner.")] = None,
    grant: Annotated[
        list[str] | None,
        typer.Option(
            "--grant",
            metavar="IDENTIFIER=SCOPE,SCOPE",
            help="All that it may have from now on, API by API; repeatable.",
        ),
    ] = None,
    token_life: Annotated[int | None, typer.Option("--token-life", help="At most so many seconds.")] = None,
    jwks_uri: Annotated[str | None, typer.Option("--jwks-uri", help="Where it publishes its keys.")] = None,
    may_register_keys: Annotated[
        bool | None,
        typer.Option("--may-register-keys/--may-not-register-keys", help="Its next key by its present one."),
    ] = None,
) -> None:
    """Change what is named; what is not named stays. It binds the client's next request.

    --redirect-uri and --post-logout-uri name all that hold from now on.
    """
    given: dict[str, Any] = {
        "name": name,
        "owner": owner,
        "scopes": None if grant is None else grants([], [], grant),
        "token_life": token_life,
        "jwks_uri": jwks_uri,
        "may_register_keys": may_register_keys,
        "authentication_method": login.authentication_method,
        "grant_types": login.grant_types(has_login=True),
    }
    with one_sentence():
        given |= {"login": login.changes(), **login.mutual_tls()}
        changes = ClientChanges(**{member: value for member, value in given.items() if value is not None})
    if not changes.model_fields_set:
        raise ConfigurationError("nothing to change was named: see ostiary client change --help")
    show_row(where.run(lambda administration: administration.change_client(client_id, changes)), where.output)
    next_step("tokens of before keep their scopes until they end; ostiary client disable ends them at once")


@app.command("disable")
@operator_command
def disable(where: Where, client_id: ClientId) -> None:
    """Refuse the client from its next request on, and end every token that it has."""
    show_row(where.run(lambda administration: administration.disable_client(client_id)), where.output)
    next_step(f"ostiary client enable {client_id} lets it in again; its old tokens stay ended")


@app.command("enable")
@operator_command
def enable(where: Where, client_id: ClientId) -> None:
    """Let a disabled client in again."""
    show_row(where.run(lambda administration: administration.enable_client(client_id)), where.output)
    next_step(f"ostiary client keys list {client_id}: is each key still in good hands?")
