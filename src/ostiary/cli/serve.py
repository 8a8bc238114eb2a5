"""``ostiary serve``: the server for production, in one process or several."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from ostiary.cli.output import next_step, note
from ostiary.serving import logs
from ostiary.serving.listeners import bind
from ostiary.serving.prepare import prepare
from ostiary.serving.run import serve_process
from ostiary.serving.supervisor import Supervisor
from ostiary.serving.tls.own import check as check_tls
from ostiary.settings import Settings, load_settings, serve_checks, serve_warnings
from ostiary.storage.migrate import upgrade
from ostiary.storage.open import storage_warnings

app = typer.Typer(add_completion=False)


@app.command(help="Serve for production, until SIGTERM or SIGINT; then answer what is in flight and stop.")
def serve(
    config: Annotated[
        Path, typer.Option(help="The configuration file.", envvar="OSTIARY_CONFIG", dir_okay=False)
    ] = Path("ostiary.toml"),
) -> None:
    """Serve with the settings of ``config`` and the environment."""
    settings = load_settings(config)
    serve_checks(settings)
    logs.configure(settings.log.format, settings.log.level)
    for warning in [*serve_warnings(settings), *check_tls(settings, time.time())]:
        note(f"Warning: {warning}")
    raise SystemExit(run(settings, config))


def run(settings: Settings, config: Path) -> int:
    """Bind, prepare the database and the keys, serve; the exit code. Raises ConfigurationError."""
    server, management = settings.server, settings.management
    api_sockets = bind(server.host, server.port)
    management_sockets = bind(management.host, management.port)
    mtls_sockets = bind(settings.mtls.host, settings.mtls.port) if settings.mtls is not None else []
    # In the main thread, where Ctrl-C ends even the build of a large index; a thread of the loop would be waited for.
    upgrade(settings.storage.url)
    uvloop.run(prepare(settings))
    for warning in storage_warnings(settings.storage.url):
        note(f"Warning: {warning}")

    def announce() -> None:
        port, management_port = api_sockets[0].getsockname()[1], management_sockets[0].getsockname()[1]
        note(f"Serving {settings.issuer} on {server.host} port {port}, {server.workers} worker(s)")
        if settings.mtls is not None:
            mtls_port = mtls_sockets[0].getsockname()[1]
            note(f"Clients with certificates on {settings.mtls.host} port {mtls_port}: {settings.mtls.public_url}")
        note(f"Management on {management.host} port {management_port}: /livez /readyz /metrics /admin")
        next_step("ostiary client list")

    if server.workers > 1:
        supervisor = Supervisor(config.absolute(), api_sockets, mtls_sockets, management_sockets, server.workers)
        supervisor.passes_hangup_on = server.ends_tls or settings.mtls is not None
        return supervisor.run(announce)
    uvloop.run(
        serve_process(settings, api=api_sockets, mtls=mtls_sockets, management=management_sockets, on_ready=announce)
    )
    return 0
