"""``ostiary client keys``: add, list, retire, revoke the public keys of a client."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from ostiary.admin.commands import KeyEnd, NewKey
from ostiary.cli.administration import Administration, Row
from ostiary.cli.generated import generate_key, key_from_file, public_key, with_file
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, note, show
from ostiary.cli.typed import moment, one_sentence, with_dates
from ostiary.errors import ConfigurationError
from ostiary.protocol.credential import API, CLIENT, Credential
from ostiary.protocol.jwk import SigningKey

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Add, list, retire, revoke a client's keys.")

_COLUMNS = ("kid", "alg", "state", "source", "owner", "not_before", "expires_at", "last_used_at")

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id.")]
KeyAlgorithm = Annotated[
    str | None, typer.Option("--alg", help="The algorithm of the key (default with --generate: ES256).")
]
CertificateFile = Annotated[
    Path | None,
    typer.Option("--certificate", help="A certificate for mutual TLS, PEM, of a --self-signed client."),
]
Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's kid, as `client keys list` shows it.")]


@app.command("add")
@operator_command
def add(
    where: Where,
    client_id: ClientId,
    key: Annotated[Path | None, typer.Option("--key", help="The public key: JWK, JWKS or PEM.")] = None,
    generate: Annotated[
        Path | None, typer.Option("--generate", help="Make a key pair and write the client's new credential file.")
    ] = None,
    certificate: CertificateFile = None,
    alg: KeyAlgorithm = None,
    kid: Annotated[str | None, typer.Option("--kid", help="The kid, if the key file does not say.")] = None,
    owner: Annotated[str, typer.Option("--owner", help="Who holds it (default: the client's owner).")] = "",
    not_before: Annotated[
        str | None, typer.Option("--not-before", help="It works from then on: 2027-01-31, 2027-01-31T12:00, +2h.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="It works until then: 2027-12-31, 2027-12-31T12:00, +90d.")
    ] = None,
) -> None:
    """Add a key beside the present ones, so that both work while the client changes over."""
    if [key, generate, certificate].count(None) != 2:
        raise ConfigurationError(
            "give either --key FILE, a public key, or --certificate FILE, or --generate FILE, a new credential file"
        )
    if generate is not None and kid is not None:
        raise ConfigurationError("--kid is for --key: a generated key is named by its thumbprint (RFC 7638)")
    made = None if generate is None else generate_key(alg or "ES256")
    with one_sentence():
        named = public_key(made) if made is not None else _given(key, certificate, kid, alg)
        command = NewKey(
            **{
                **named.model_dump(),
                "owner": owner,
                "not_before": moment("--not-before", not_before, now=time.time),
                "expires_at": moment("--expires", expires, now=time.time),
            }
        )
    rows = where.run(lambda administration: _add(administration, client_id, command, made, generate))
    _tell(where.output, rows)
    next_step(f"let the client use {generate or 'the new key'}, then: ostiary client keys retire {client_id} OLD_KID")


def _given(key: Path | None, certificate: Path | None, kid: str | None, alg: str | None) -> NewKey:
    if key is not None:
        return NewKey(key=key_from_file(key), kid=kid, alg=alg)
    text = None if certificate is None else key_from_file(certificate)
    return NewKey(certificate=text, kid=kid, alg=alg)


async def _add(
    administration: Administration, client_id: str, command: NewKey, made: SigningKey | None, file: Path | None
) -> list[Row]:
    if made is None or file is None:
        return await administration.add_client_keys(client_id, command)
    client = await administration.client(client_id)
    audience = None
    if client["kind"] == "api":
        audience = next(
            (str(api["identifier"]) for api in await administration.apis() if api["client_id"] == client_id), None
        )
    kind = CLIENT if audience is None else API
    credential = Credential(kind, administration.issuer, client_id, made, audience)
    return await with_file(file, credential, lambda: administration.add_client_keys(client_id, command))


@app.command("list")
@operator_command
def list_keys(where: Where, client_id: ClientId) -> None:
    """List the static and registered keys of a client, with when each was last used."""
    _tell(where.output, where.run(lambda administration: administration.client_keys(client_id)))
    next_step(f"ostiary client keys retire {client_id} KID, or revoke it if it leaked")


# One thumbprint in 64 begins with "-"; it is a kid all the same, and no option.
_ANY_KID = {"ignore_unknown_options": True}


@app.command("retire", context_settings=_ANY_KID)
@operator_command
def retire(where: Where, client_id: ClientId, kid: Kid) -> None:
    """Refuse the key, and those that it registered, from now on; the tokens that they obtained live on."""
    _end(where, client_id, kid, "retired")


@app.command("revoke", context_settings=_ANY_KID)
@operator_command
def revoke(where: Where, client_id: ClientId, kid: Kid) -> None:
    """Refuse the key, and those that it registered, and end every token that they obtained."""
    _end(where, client_id, kid, "revoked")


def _end(where: Where, client_id: str, kid: str, state: Literal["retired", "revoked"]) -> None:
    with one_sentence():
        command = KeyEnd(kid=kid, state=state)
    rows = where.run(lambda administration: administration.end_client_key(client_id, command))
    if not rows:
        note(f"The key {kid} had ended before; nothing was changed.")
    _tell(where.output, rows)
    next_step(f"ostiary client keys list {client_id}: does the client still have a key that works?")


def _tell(output: Format, rows: Sequence[Row]) -> None:
    show(rows if output is Format.JSON else [with_dates(row) for row in rows], output, columns=_COLUMNS)
