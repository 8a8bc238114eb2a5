"""``ostiary signal``: which systems are told of security events, by streams that they make (SSF 1.0)."""

from __future__ import annotations

from typing import Annotated

import typer

from ostiary.admin.signal_answers import NewReceiver, StreamPause
from ostiary.cli.administration import Row
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, show
from ostiary.cli.typed import one_sentence, with_dates

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Streams of security events to other systems.")

_COLUMNS = ("stream_id", "client_id", "method", "status", "reason", "waiting", "updated_at")

StreamId = Annotated[str, typer.Argument(metavar="STREAM_ID", help="As `signal list` shows it.")]


@app.command("allow")
@operator_command
def allow(where: Where, client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The receiver.")]) -> None:
    """Let a client make one stream and be told of its own users; it asks for its token by client_credentials."""
    with one_sentence():
        command = NewReceiver(client_id=client_id)
    row = where.run(lambda administration: administration.signals.allow(command))
    show(row, where.output)
    next_step(f"the receiver gets a token for {row['resource']} and makes its stream there; then ostiary signal list")


@app.command("list")
@operator_command
def list_streams(where: Where) -> None:
    """List the streams, and how many events wait in each."""
    rows = where.run(lambda administration: administration.signals.streams())
    show(rows if where.output is Format.JSON else [with_dates(row) for row in rows], where.output, columns=_COLUMNS)
    next_step("ostiary signal show STREAM_ID" if rows else "ostiary signal allow CLIENT_ID")


@app.command("show")
@operator_command
def show_stream(where: Where, stream_id: StreamId) -> None:
    """Show one stream."""
    row = where.run(lambda administration: administration.signals.show(stream_id))
    _show(row, where)
    next_step(f"ostiary signal {'pause' if row['status'] == 'enabled' else 'resume'} {stream_id}")


@app.command("pause")
@operator_command
def pause(
    where: Where,
    stream_id: StreamId,
    reason: Annotated[str, typer.Option("--reason", help="The receiver reads it.")] = "",
) -> None:
    """Hold the events of a stream; its receiver cannot undo that."""
    with one_sentence():
        command = StreamPause(reason=reason)
    _show(where.run(lambda administration: administration.signals.pause(stream_id, command)), where)
    next_step(f"ostiary signal resume {stream_id}, within seven days: older events are given up")


@app.command("resume")
@operator_command
def resume(where: Where, stream_id: StreamId) -> None:
    """Let a stream flow again, with what waits in it."""
    _show(where.run(lambda administration: administration.signals.resume(stream_id)), where)
    next_step(f"ostiary signal show {stream_id}: does the number of waiting events fall?")


@app.command("delete")
@operator_command
def delete(where: Where, stream_id: StreamId) -> None:
    """Delete a stream with what waits in it; its client may make another."""
    row = where.run(lambda administration: administration.signals.delete(stream_id))
    _show(row, where)
    next_step(f"ostiary client change {row['client_id']}: take its scopes for the streams away, if it is to have none")


def _show(row: Row, where: Where) -> None:
    show(row if where.output is Format.JSON else with_dates(row), where.output)
