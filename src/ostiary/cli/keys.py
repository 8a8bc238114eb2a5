"""``ostiary keys``: the installation's signing keys, and the key-encryption key that wraps them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ostiary.admin.commands import Rotation
from ostiary.cli import USAGE
from ostiary.cli.administration import Row
from ostiary.cli.administration_local import LocalAdministration
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, fail, next_step, show
from ostiary.cli.typed import one_sentence, with_dates
from ostiary.key_management.key_encryption_key import KeyEncryptionKey, create_key_encryption_key

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The signing keys: list, rotate, rewrap.")

_COLUMNS = ("kid", "use", "alg", "state", "published_at", "activated_at", "retired_at", "remove_after")
_ROTATED = ("use", "alg", "outcome", "at", "old_kid", "new_kid")


@app.command("list")
@operator_command
def list_keys(where: Where) -> None:
    """List the signing keys and the stage of each: published, active, retired, removed, withdrawn."""
    rows = where.run(lambda administration: administration.signing_keys())
    _show(rows, where.output, _COLUMNS)
    next_step("ostiary keys rotate" if rows else "ostiary serve makes the first ones")


@app.command("rotate")
@operator_command
def rotate(
    where: Where,
    alg: Annotated[str | None, typer.Option("--alg", help="Only the keys of this algorithm, such as ES256.")] = None,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Withdraw the old key at once: every token it signed is refused.")
    ] = False,
    kid: Annotated[
        str | None, typer.Option("--kid", help="With --compromised: this key alone, in whatever stage it is.")
    ] = None,
    use: Annotated[str, typer.Option("--use", help="token, or jwt-svid for those of a SPIFFE trust domain.")] = "token",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a withdrawal.")] = False,
) -> None:
    """Sign by the next key from now on; what the old key signed stays good until it ends."""
    with one_sentence():
        command = Rotation.model_validate({"use": use, "alg": alg, "compromised": compromised, "kid": kid})
    if compromised and not yes:
        _confirm(kid or alg or "every active key")
    rows = where.run(lambda administration: administration.rotate(command))
    _show(rows, where.output, _ROTATED)
    if compromised:
        next_step("APIs that keep the JWKS refuse the old key when they fetch it again; ostiary audit list --since 1d")
    elif any(row["outcome"] == "scheduled" for row in rows):
        next_step("the next key was published only now; it signs from the time shown, by itself: ostiary keys list")
    else:
        next_step("ostiary keys list")


def _confirm(what: str) -> None:
    if not sys.stdin.isatty():
        fail(f"This ends every token signed by {what}: add --yes if that is meant.", USAGE)
    if not typer.confirm(f"End every token signed by {what}?", err=True):
        fail("Nothing was changed.")


@app.command("rewrap")
@operator_command
def rewrap(
    where: Where,
    new_file: Annotated[
        Path, typer.Option("--new-file", help="The new key-encryption key, made by `ostiary keys new-kek`.")
    ],
) -> None:
    """Wrap all signing keys under a new key-encryption key; the old one opens none of them any more."""
    new = KeyEncryptionKey.from_file(new_file)

    async def act(administration: LocalAdministration) -> tuple[int, Path | None]:
        count = await administration.keys().rewrap(new)
        return count, administration.settings.keys.key_encryption_key_file

    count, present = where.run_locally(act)
    show({"rewrapped": count, "key_encryption_key": new.name, "file": str(new_file)}, where.output)
    if present is None:
        next_step(f"give the servers the text in {new_file} as OSTIARY_KEYS__KEY_ENCRYPTION_KEY and restart them")
    else:
        next_step(f"now: mv {new_file} {present} (running servers read it again), or name {new_file} in the settings")


@app.command("new-kek")
def new_key_encryption_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; it is written with mode 0600.")],
) -> None:
    """Make a new key-encryption key in a file; nothing is changed by that alone."""
    made = create_key_encryption_key(file)
    show({"key_encryption_key": made.name, "file": str(file)})
    next_step(
        f"name it in keys.key_encryption_key_file before the first start, or: ostiary keys rewrap --new-file {file}"
    )


def _show(rows: Sequence[Row], output: Format, columns: Sequence[str]) -> None:
    show(rows if output is Format.JSON else [with_dates(row) for row in rows], output, columns=columns)
