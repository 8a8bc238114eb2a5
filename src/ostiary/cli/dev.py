"""``ostiary dev``: a server for trying out, with a demo API, a demo client and a demo user, in ``.ostiary/``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from ostiary.admin.demo import DemoFiles, ensure_demo
from ostiary.admin.demo_user import DemoUser, ensure_demo_user
from ostiary.app import installation
from ostiary.serving import logs
from ostiary.serving.listeners import bind
from ostiary.serving.prepare import prepare
from ostiary.serving.run import serve_process
from ostiary.settings import Settings, dev_settings, remember_ports

app = typer.Typer(add_completion=False)


@app.command(help="Serve for trying out: local data, http on loopback, a demo API and a demo client.")
def dev(
    directory: Annotated[Path, typer.Option(help="Where the data is kept.", file_okay=False)] = Path(".ostiary"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="The issuer is http://localhost:PORT.")] = 8400,
    management_port: Annotated[int, typer.Option(min=1, max=65535)] = 8401,
) -> None:
    """Start at once; stop with Ctrl-C; what was made stays in the folder for the next time."""
    settings = dev_settings(directory, port=port, management_port=management_port)
    remember_ports(directory, port, management_port)
    logs.configure("text", "warning")
    api_sockets = bind(settings.server.host, settings.server.port)
    management_sockets = bind(settings.management.host, settings.management.port)
    files, user = uvloop.run(_prepare(settings, directory))
    uvloop.run(
        serve_process(
            settings,
            api=api_sockets,
            management=management_sockets,
            on_ready=lambda: _announce(settings, files, user),
        )
    )


async def _prepare(settings: Settings, directory: Path) -> tuple[DemoFiles, DemoUser]:
    await prepare(settings)
    async with installation(settings) as parts:
        files = await ensure_demo(parts.storage, settings, directory, parts.clock)
        passwords = parts.server.passwords
        return files, await ensure_demo_user(parts.storage, settings, passwords, directory, parts.clock)


def _announce(settings: Settings, files: DemoFiles, user: DemoUser) -> None:
    management = f"http://{settings.management.host}:{settings.management.port}"
    typer.echo(
        f"""Ostiary is ready (for trying out only: plain http, local data)

  issuer       {settings.issuer}
  metadata     {settings.issuer}/.well-known/oauth-authorization-server
  management   {management}  (/livez /readyz /metrics /admin/docs)
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
