"""``ostiary revoke``: ends one thing with all that hangs on it, and says live which APIs have heard of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ostiary.admin.revocation_commands import NewRevocation
from ostiary.admin.token_names import is_token
from ostiary.cli import UNAVAILABLE
from ostiary.cli.acknowledgements import Waiting, told
from ostiary.cli.administration import Administration, Row
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, fail, next_step, note, safe, show
from ostiary.cli.token import read_token
from ostiary.cli.typed import one_sentence
from ostiary.errors import ConfigurationError

DEFAULT_WAIT = 5.0

app = typer.Typer(add_completion=False)


@app.command(
    # One thumbprint in 64 begins with "-".
    context_settings={"ignore_unknown_options": True},
    help="End one thing with all that hangs on it, and show which APIs know. Exit code 4: it has ended, but not every "
    "process that follows the revocation feed has said in time that it knows.",
)
@operator_command
def revoke(
    where: Where,
    client: Annotated[
        str | None, typer.Option("--client", metavar="ID", help="This client; with --key, whose key it is.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="This user, by id or user name.")] = None,
    session: Annotated[str | None, typer.Option("--session", metavar="ID", help="This session.")] = None,
    grant: Annotated[str | None, typer.Option("--grant", metavar="ID", help="This grant, and its tokens.")] = None,
    token: Annotated[str | None, typer.Option("--token", metavar="JTI", help="The access token of this jti.")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="The token in this file; - for standard input.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="A client's key: its thumbprint, or its kid with --client."),
    ] = None,
    certificate: Annotated[
        str | None, typer.Option("--certificate", metavar="SERIAL", help="This certificate.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")] = "",
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, max=600, help="How long to wait for the APIs.")
    ] = DEFAULT_WAIT,
) -> None:
    named = {
        "client": client if key is None else None,
        "user": user,
        "session": session,
        "grant": grant,
        "token": _token(token, token_file),
        "key": key,
        "certificate": certificate,
    }
    command = _command(named, client if key is not None else None, reason)
    outcome = where.run(lambda administration: _revoke(administration, command, wait, where.output))
    _conclude(where.output, outcome)


def _token(jti: str | None, file: Path | None) -> str | None:
    if jti is not None and is_token(jti):
        raise ConfigurationError(
            "--token takes a jti: a token in the arguments is seen by every user of this machine and stays in the"
            " shell's history. Give it by --token-file FILE, or --token-file - for standard input."
        )
    if jti is not None and file is not None:
        raise ConfigurationError("--token and --token-file name two tokens: give one of them")
    return jti if file is None else read_token(None if str(file) == "-" else file)


def _command(named: Mapping[str, str | None], key_of: str | None, reason: str) -> NewRevocation:
    given = [(kind, name) for kind, name in named.items() if name is not None]
    if len(given) != 1:
        raise ConfigurationError(
            "name one thing to end: --client, --user, --session, --grant, --token, --token-file, --key or --certificate"
        )
    kind, name = given[0]
    with one_sentence():
        return NewRevocation.model_validate({"kind": kind, "name": name, "client_id": key_of, "reason": reason})


async def _revoke(administration: Administration, command: NewRevocation, wait: float, output: Format) -> Row:
    """The answer, with what each API knows of it in the end as ``apis``."""
    answer = await administration.revoke(command)
    live = output is Format.TABLE
    if live:
        show(_summary(answer))
    waiting = Waiting(administration, int(str(answer["position"])), wait)
    async for api in waiting.settled():
        if live:
            typer.echo(safe(told(api)))
    return {**answer, "apis": waiting.apis}


def _summary(answer: Row) -> Row:
    counts: Mapping[str, int] = answer["ended"]
    ended = ", ".join(
        f"{count} {kind if count != 1 else kind.removesuffix('s')}" for kind, count in counts.items() if count
    )
    summary: dict[str, object] = {answer["kind"]: answer["name"]}
    summary["ended"] = ended if answer["ended_now"] else "nothing: it had ended before"
    if answer["live_tokens"]:
        summary["access tokens"] = f"{answer['live_tokens']}{' or more' if answer['live_tokens'] == 1000 else ''}"
    return summary | {"position": answer["position"]}


def _conclude(output: Format, outcome: Row) -> None:
    if output is Format.JSON:
        show(outcome, output)
    apis: list[Row] = outcome["apis"]
    if deaf := [str(api["identifier"]) for api in apis if api["knows"] == "until_expiry"]:
        note(
            f"Not followed by {', '.join(deaf)}: an API without a reader takes self-contained tokens until they expire,"
            " unless it introspects them."
        )
    if late := [str(api["identifier"]) for api in apis if api["knows"] == "not_yet"]:
        fail(
            f"It has ended, but not every process of {', '.join(late)} has said in time that it knows. A process that"
            " hears nothing refuses by itself after its max_staleness. Again: the same command, or ostiary api list",
            UNAVAILABLE,
        )
    next_step("ostiary audit list shows the act; ostiary api list shows how far the APIs have read")
