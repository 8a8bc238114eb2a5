"""``ostiary dev`` with people and an application: what a person in front of a browser needs."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from ostiary.app import Installation, installation
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_login import ClientLogin
from ostiary.model.grant import Grant
from ostiary.protocol import pkce
from ostiary.revocation.act import Act
from ostiary.settings import dev_settings
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.accounts import create_user, set_password
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

PASSWORD = "glass-otter-minute"
CALLBACK = "https://printer.example.com/back"
ORDERS = "https://orders.example.com"
PEOPLE = {"ada": "Ada Byron", "grace": "Grace Hopper", "alan": "Alan Turing", "edith": "Edith Clarke"}


@dataclass(frozen=True)
class DevSite:
    """url: the issuer. Everybody's password is ``PASSWORD``."""

    url: str

    def authorize(self, **changes: str) -> str:
        """An authorization request of the application."""
        parameters = {
            "client_id": "printer",
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email orders:read orders:write",
            "resource": ORDERS,
            "state": "st-1",
            "code_challenge": pkce.challenge("v" * 43),
            "code_challenge_method": "S256",
        }
        return f"{self.url}/authorize?{urlencode(parameters | changes)}"


@contextmanager
def dev_site(folder: Path) -> Iterator[DevSite]:
    """A real server in its own process; people and application are put into its database beside it."""
    data, ports = folder / ".ostiary", (free_port(), free_port())
    command = [sys.executable, "-m", "ostiary", "dev", "--directory", str(data)]
    command += ["--port", str(ports[0]), "--management-port", str(ports[1])]
    with Process(command, cwd=folder) as process:
        process.wait_for_line("Ostiary is ready", seconds=30)
        process.wait_for_port(ports[0])
        # In a thread of its own: where a browser is driven, the test's thread has an event loop already.
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(asyncio.run, _furnish(data, ports)).result()
        yield DevSite(f"http://localhost:{ports[0]}")


async def _furnish(data: Path, ports: tuple[int, int]) -> None:
    async with installation(dev_settings(data, port=ports[0], management_port=ports[1])) as parts:
        act = Act("cli", time.time())
        for username, name in PEOPLE.items():
            await _add_person(parts, act, username, name)
        async with parts.storage.write() as work:
            await _add_application(work, int(act.now))


async def _add_person(parts: Installation, act: Act, username: str, name: str) -> None:
    email = f"{username}@example.com"
    async with parts.storage.write() as work:
        user = await create_user(work, username=username, email=email, claims={"name": name}, act=act)
    settings = parts.settings.sign_in
    await set_password(parts.server.passwords, parts.storage, settings, user.user_id, PASSWORD, act)


async def _add_application(work: UnitOfWork, now: int) -> None:
    scopes = {"orders:read": "See your orders", "orders:write": "Place orders for you"}
    api = Api(ORDERS, "Orders", "active", "registered", "", None, scopes, "self-contained", "ES256", 600, now, now)
    printer = Client(
        client_id="printer",
        name="Photo Printer",
        kind="client",
        state="active",
        owner="",
        source="registered",
        authentication_method="private_key_jwt",
        grant_types=("authorization_code", "refresh_token"),
        scopes={ORDERS: tuple(scopes)},
        token_life=None,
        jwks_uri=None,
        may_register_keys=False,
        max_concurrency=10,
        grant_id="gr_printer",
        created_at=now,
        updated_at=now,
        login=ClientLogin(redirect_uris=(CALLBACK,), home_uri="https://printer.example.com/"),
    )
    await work.apis.add(api)
    await work.clients.add(printer)
    await work.grants.add(Grant("gr_printer", "printer", "printer", "client_credentials", now, None, None))
