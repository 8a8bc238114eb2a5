"""``ostiary dev``: a server for trying out, with a demo API, a demo client and a demo user, in ``.ostiary/``."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from ostiary.admin.demo import DemoFiles, ensure_demo
from ostiary.admin.demo_ca import ensure_ca
from ostiary.admin.demo_user import DemoUser, ensure_demo_user
from ostiary.app import installation
from ostiary.errors import ConfigurationError
from ostiary.serving import logs
from ostiary.serving.listeners import bind
from ostiary.serving.prepare import prepare
from ostiary.serving.run import serve_process
from ostiary.settings import Settings, dev_settings, remember_ports

app = typer.Typer(add_completion=False)

PREFERRED_MTLS_PORT = 8403


@app.command(help="Serve for trying out: local data, http on loopback, a demo API and a demo client.")
def dev(
    directory: Annotated[Path, typer.Option(help="Where the data is kept.", file_okay=False)] = Path(".ostiary"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="The issuer is http://localhost:PORT.")] = 8400,
    management_port: Annotated[int, typer.Option(min=1, max=65535)] = 8401,
    mtls_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="For clients with certificates (default: 8403, or one that is free)."),
    ] = None,
) -> None:
    """Start at once; stop with Ctrl-C; what was made stays in the folder for the next time."""
    mtls_sockets = _bound(mtls_port)
    bound: int = mtls_sockets[0].getsockname()[1]
    settings = dev_settings(directory, port=port, management_port=management_port, mtls_port=bound)
    remember_ports(directory, port, management_port, bound)
    logs.configure("text", "warning")
    api_sockets = bind(settings.server.host, settings.server.port)
    management_sockets = bind(settings.management.host, settings.management.port)
    files, user, root = uvloop.run(_prepare(settings, directory))
    uvloop.run(
        serve_process(
            settings,
            api=api_sockets,
            mtls=mtls_sockets,
            management=management_sockets,
            on_ready=lambda: _announce(settings, files, user, root),
        )
    )


def _bound(port: int | None) -> list[socket.socket]:
    if port is not None:
        return bind("localhost", port)
    try:
        return bind("localhost", PREFERRED_MTLS_PORT)
    except ConfigurationError:
        return bind("localhost", 0)


async def _prepare(settings: Settings, directory: Path) -> tuple[DemoFiles, DemoUser, Path]:
    await prepare(settings)
    async with installation(settings) as parts:
        files = await ensure_demo(parts.storage, settings, directory, parts.clock)
        passwords = parts.server.passwords
        user = await ensure_demo_user(parts.storage, settings, passwords, directory, parts.clock)
        root = await ensure_ca(parts.authorities, parts.key_management, directory, parts.clock())
        return files, user, root


def _announce(settings: Settings, files: DemoFiles, user: DemoUser, root: Path) -> None:
    management = f"http://{settings.management.host}:{settings.management.port}"
    typer.echo(
        f"""Ostiary is ready (for trying out only: plain http, local data)

  issuer       {settings.issuer}
  metadata     {settings.issuer}/.well-known/oauth-authorization-server
  management   {management}  (/livez /readyz /metrics /admin/docs)
  certificates {settings.mtls.public_url if settings.mtls else ""}  (for clients with one; the root to trust: {root})
  demo API     {files.api_identifier}  (its key file: {files.api_file})
  demo client  {files.client_id}  (its key file: {files.client_file})
  demo user    {user.username}  with the password {user.password}  (kept in {user.file})
  account      {settings.issuer}/account
  outbox       {settings.email.outbox_dir}  (every e-mail is a file there)

Next, in another terminal:

  ostiary token get --client-file {files.client_file} --resource {files.api_identifier}
  ostiary login --client {user.application_id} --issuer {settings.issuer} --resource {files.api_identifier}
"""
    )
