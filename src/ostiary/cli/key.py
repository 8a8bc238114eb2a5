"""``ostiary key``: a client's own key; works from a base install with the extra cli."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostiary.cli.output import Format, FormatOption, next_step, show
from ostiary.cli.token import ClientFile
from ostiary.client.credential_file import load_client_credential
from ostiary.client.exchange import Shell
from ostiary.client.next_key import register_next_key
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.secret_files import write_secret_file

app = typer.Typer(no_args_is_help=True, add_completion=False, help="This client's own key.")


@app.callback()
def key() -> None:
    """This client's own key."""


@app.command("next")
def register_next(
    generate: Annotated[Path, typer.Option("--generate", help="The new credential file to write, with mode 0600.")],
    client_file: ClientFile = None,
    alg: Annotated[str | None, typer.Option("--alg", help="Its algorithm (default: as the present key).")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Make the next key and register its public half by signing with the present one."""
    present = load_client_credential(client_file)
    new = Credential(present.kind, present.issuer, present.client_id, _generate(alg or present.key.alg))
    # The file comes first: a key that was registered and then lost would stand there for nobody.
    write_secret_file(generate, new.to_json())
    try:
        Shell().run(register_next_key(present, new.key))
    except BaseException:
        generate.unlink(missing_ok=True)
        raise
    show({"client_id": new.client_id, "kid": new.key.kid, "alg": new.key.alg, "file": str(generate)}, output)
    next_step(f"use {generate} in place of the present file; the old key works on until it is retired")


def _generate(alg: str) -> SigningKey:
    try:
        return SigningKey.generate(alg)
    except VerificationError as error:
        raise ConfigurationError(f"No key can be made for {alg}: {error.public}; try ES256.") from None
