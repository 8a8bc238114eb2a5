"""``ostiary serve``: the server for production, in one process or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from ostiary.cli.output import fail, next_step
from ostiary.errors import OstiaryError
from ostiary.serving import logs
from ostiary.serving.listeners import bind
from ostiary.serving.prepare import prepare
from ostiary.serving.run import serve_process
from ostiary.serving.supervisor import Supervisor
from ostiary.settings import Settings, load_settings, serve_checks

app = typer.Typer(help="Serve for production.", add_completion=False)


@app.callback(invoke_without_command=True)
def serve(
    config: Annotated[
        Path, typer.Option(help="The configuration file.", envvar="OSTIARY_CONFIG", dir_okay=False)
    ] = Path("ostiary.toml"),
) -> None:
    """Serve until SIGTERM or SIGINT; then answer what is in flight and stop."""
    try:
        settings = load_settings(config)
        serve_checks(settings)
        logs.configure(settings.log.format, settings.log.level)
        code = run(settings, config)
    except OstiaryError as error:
        fail(error)
    raise typer.Exit(code)


def run(settings: Settings, config: Path) -> int:
    """Bind, prepare the database and the keys, serve; the exit code. Raises ConfigurationError."""
    server, management = settings.server, settings.management
    api_sockets = bind(server.host, server.port)
    management_sockets = bind(management.host, management.port)
    uvloop.run(prepare(settings))

    def announce() -> None:
        port, management_port = api_sockets[0].getsockname()[1], management_sockets[0].getsockname()[1]
        typer.echo(f"Serving {settings.issuer} on {server.host} port {port}, {server.workers} worker(s)", err=True)
        typer.echo(f"Management on {management.host} port {management_port}: /livez /readyz /metrics /admin", err=True)
        next_step("ostiary client list")

    if server.workers > 1:
        return Supervisor(config.absolute(), api_sockets, management_sockets, server.workers).run(announce)
    uvloop.run(serve_process(settings, api=api_sockets, management=management_sockets, on_ready=announce))
    return 0
