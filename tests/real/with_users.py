"""``ostiary dev`` with its demo user, and an API of the tests beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.dev_server import Dev, running_dev
from tests.real.served import wait_until_answered
from tests.real.visitor import User
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class WithUsers:
    """The running server, who can sign in, and the API (its URL is its identifier)."""

    dev: Dev
    user: User
    api: str

    def application(self, client_id: str, redirect_uri: str, *options: str) -> None:
        """Register an application that may be allowed to read orders."""
        self.dev.ostiary(
            "client", "create", client_id, "--redirect-uri", redirect_uri, "--api", self.api, "--scope", "orders:read",
            *options,
        )  # fmt: skip


@contextmanager
def running_with_users(folder: Path) -> Iterator[WithUsers]:
    """The server and the API, ready."""
    port = free_port()
    api = f"http://localhost:{port}"
    with running_dev(folder) as dev:
        known = json.loads((folder / ".ostiary" / "demo-user.json").read_text())
        key = folder / "stepping-api.json"
        dev.ostiary("api", "create", api, "--scope", "orders:read=see orders", "--generate", str(key))
        environment = {"OSTIARY_ISSUER": dev.issuer, "OSTIARY_AUDIENCE": api, "OSTIARY_API_KEY_FILE": str(key)}
        command = [sys.executable, "-m", "uvicorn", "tests.real.stepping_api:app", "--port", str(port)]
        with Process(command, cwd=ROOT, environment=environment) as process:
            wait_until_answered(process, f"{api}/healthz")
            yield WithUsers(dev, User(known["username"], known["password"]), api)
