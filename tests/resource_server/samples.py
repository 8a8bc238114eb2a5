"""The sample APIs as processes, each under its own server, against a real issuer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from ostiary.secret_files import write_secret_file
from ostiary.trace_sinks import MemorySink
from tests.resource_server.issuer_server import running_issuer
from tests.resource_server.real_server import SAMPLES, free_port, running
from tests.resource_server.world import AUDIENCE, Clock, World

COMMANDS = {
    "fastapi": ("fastapi_orders", ["uvicorn", "app:app", "--log-level", "warning", "--port"]),
    "flask": ("flask_orders", ["flask", "--app", "app", "run", "--port"]),
    "django-wsgi": ("django_orders", ["manage", "runserver", "--noreload"]),
    "django-asgi": ("django_orders", ["uvicorn", "orders.asgi:application", "--log-level", "warning", "--port"]),
}


class Sample:
    """A running sample API and the world around it."""

    def __init__(self, client: httpx2.Client, world: World) -> None:
        self.client = client
        self.world = world

    def get(self, token: str | None = None) -> httpx2.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.get("/orders", headers=headers)


@contextmanager
def running_sample(name: str, folder: Path) -> Iterator[Sample]:
    """The sample called ``name`` in ``COMMANDS``; its files are in ``folder``."""
    folder_name, command = COMMANDS[name]
    port = free_port()
    with running_issuer() as issuer:
        write_secret_file(folder / "api.json", issuer.credential().to_json())
        environment = {
            "OSTIARY_ISSUER": issuer.issuer,
            "OSTIARY_AUDIENCE": AUDIENCE,
            "OSTIARY_API_KEY_FILE": str(folder / "api.json"),
            "OSTIARY_REPLAY_FILE": str(folder / "replay.sqlite3"),
            "OSTIARY_TRACE_FILE": str(folder / "traces.jsonl"),
        }
        with running([*command, str(port)], SAMPLES / folder_name, environment, port) as client:
            yield Sample(client, World(issuer, Clock(), MemorySink(), folder))
