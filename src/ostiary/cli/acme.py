"""``ostiary acme``: who may get certificates by ACME, and for which names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ostiary.admin.acme_credentials import MadeCredential, create_credential, revoke_credential
from ostiary.authorization_server.seals import Seals
from ostiary.cli.administration_local import prepare_database
from ostiary.cli.local import Local, open_local
from ostiary.cli.options import ConfigOption, DirectoryOption
from ostiary.cli.output import Format, FormatOption, next_step, show
from ostiary.cli.typed import with_dates
from ostiary.errors import OstiaryError
from ostiary.model.acme import AcmeCredential
from ostiary.revocation.act import Act
from ostiary.secret_files import fill_secret_file, write_secret_file

T = TypeVar("T")
ACTOR = "cli"

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Certificates by ACME: who may ask for them.")
eab = typer.Typer(no_args_is_help=True, help="Credentials that ACME accounts are bound with: create, list, revoke.")
app.add_typer(eab, name="eab")


@app.callback()
def acme() -> None:
    """Certificates by ACME: who may ask for them."""


@eab.command("create")
def create(
    file: Annotated[Path, typer.Option("--file", help="The new file for key id and MAC key, of mode 0600.")],
    owner: Annotated[str, typer.Option("--owner", help="A person or team: whose certificates they will be.")],
    dns: Annotated[list[str] | None, typer.Option("--dns", help="A domain; names below it are permitted.")] = None,
    network: Annotated[list[str] | None, typer.Option("--network", help="A network of permitted addresses.")] = None,
    config: ConfigOption = None,
    directory: DirectoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Make a credential. Its MAC key goes into the file and is told nowhere else."""

    async def act(local: Local) -> MadeCredential:
        seals = Seals(local.storage, local.key_management())
        await seals.ready()
        done = Act(ACTOR, local.clock())
        made = await create_credential(local.storage, seals, owner, dns or [], network or [], done)
        fill_secret_file(file, _client_settings(local.settings.issuer, made))
        return made

    # The file is made first, so that no key is made that cannot be kept.
    write_secret_file(file, b"")
    try:
        made = _run(config, directory, act)
    except OstiaryError:
        file.unlink(missing_ok=True)
        raise
    show({**_row(made.credential), "file": str(file)}, output)
    next_step(f"on the server that needs a certificate: certbot certonly --config {file} ...")


@eab.command("list")
def list_credentials(
    config: ConfigOption = None, directory: DirectoryOption = None, output: FormatOption = Format.TABLE
) -> None:
    """List the credentials, what they permit and whether they were revoked."""

    async def act(local: Local) -> list[AcmeCredential]:
        async with local.storage.read() as work:
            return await work.acme_credentials.list()

    rows = [_row(one) for one in _run(config, directory, act)]
    show(rows if output is Format.JSON else [with_dates(row) for row in rows], output)
    next_step(
        "ostiary acme eab revoke KEY_ID" if rows else "ostiary acme eab create --file FILE --owner NAME --dns DOMAIN"
    )


@eab.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `ostiary acme eab list` shows it.")],
    config: ConfigOption = None,
    directory: DirectoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Refuse the accounts of a credential from now on; the certificates that they have stay good."""

    async def act(local: Local) -> AcmeCredential:
        return await revoke_credential(local.storage, key_id, Act(ACTOR, local.clock()))

    revoked = _run(config, directory, act)
    show({"key_id": revoked.key_id, "owner": revoked.owner, "state": revoked.state}, output)
    next_step("ostiary audit list --since 1d")


def _run(config: Path | None, directory: Path | None, act: Callable[[Local], Awaitable[T]]) -> T:
    prepare_database(config, directory)

    async def inside() -> T:
        async with open_local(config, directory=directory) as local:
            return await act(local)

    return asyncio.run(inside())


def _client_settings(issuer: str, made: MadeCredential) -> bytes:
    """What certbot reads by ``--config``; people and other clients can read it as well."""
    lines = (
        f"server = {issuer.rstrip('/')}/acme/directory",
        f"eab-kid = {made.credential.key_id}",
        f"eab-hmac-key = {made.key}",
    )
    return "\n".join((*lines, "")).encode("ascii")


def _row(credential: AcmeCredential) -> dict[str, object]:
    return {
        "key_id": credential.key_id,
        "owner": credential.owner,
        "dns": list(credential.dns),
        "networks": list(credential.networks),
        "state": credential.state,
        "created_at": credential.created_at,
        "revoked_at": credential.revoked_at,
    }
