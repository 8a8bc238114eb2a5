"""The demo user and the demo application of ``ostiary dev``; made where they are missing, never changed afterwards."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ostiary.admin.clients import add_client
from ostiary.admin.commands import NewClient
from ostiary.admin.demo import API_IDENTIFIER, SCOPES
from ostiary.admin.limits import Limits
from ostiary.admin.login_commands import NewLogin
from ostiary.authorization_server.password_hashing import PasswordHashing
from ostiary.revocation.act import Act
from ostiary.secret_files import read_secret_file, write_secret_file
from ostiary.settings import Settings
from ostiary.storage.base import Storage
from ostiary.user_authentication.accounts import create_user, set_password

USERNAME: Final = "demo"
APPLICATION_ID: Final = "demo-app"
REDIRECT_URI: Final = "http://127.0.0.1/callback"
_FILE: Final = "demo-user.json"


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Who can sign in. file: holds the password, mode 0600; application_id: the public client that they can use."""

    username: str
    password: str = field(repr=False)
    file: Path
    application_id: str


async def ensure_demo_user(
    storage: Storage,
    settings: Settings,
    passwords: PasswordHashing,
    directory: Path,
    clock: Callable[[], float],
) -> DemoUser:
    """Make what is missing of the demo user and the demo application. Raises ConfigurationError, Unavailable."""
    user = _known(directory / _FILE)
    act, limits = Act("dev", clock()), Limits.of(settings)
    async with storage.write() as work:
        if await work.clients.get(APPLICATION_ID) is None:
            await add_client(work, limits, _application(), act)
        found = await work.users.by_name(USERNAME)
        made = found or await create_user(
            work,
            username=USERNAME,
            email="demo@example.com",
            email_verified=True,
            claims={"name": "Demo User", "given_name": "Demo", "family_name": "User"},
            act=act,
        )
        lacking = await work.factors.by_lookup("password", made.user_id) is None
    if lacking:
        await set_password(passwords, storage, settings.sign_in, made.user_id, user.password, act)
    return user


def _application() -> NewClient:
    return NewClient(
        client_id=APPLICATION_ID,
        name="Demo application",
        authentication_method="none",
        scopes={API_IDENTIFIER: sorted(SCOPES)},
        login=NewLogin(application_type="native", redirect_uris=[REDIRECT_URI]),
    )


def _known(file: Path) -> DemoUser:
    if not file.exists():
        told = {"username": USERNAME, "password": "-".join(secrets.token_hex(3) for _ in range(3))}
        write_secret_file(file, json.dumps(told).encode() + b"\n")
    password = str(json.loads(read_secret_file(file))["password"])
    return DemoUser(USERNAME, password, file, APPLICATION_ID)
