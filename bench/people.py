"""The users and the application of the benchmark, the same at both servers: a public client with PKCE, rotating refresh
tokens, ID tokens signed with ES256, opaque access tokens for userinfo, and passwords hashed by argon2id at one cost."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ostiary.admin.clients import add_client
from ostiary.admin.commands import NewClient
from ostiary.admin.limits import Limits
from ostiary.admin.login_commands import NewLogin
from ostiary.app import installation
from ostiary.protocol import pkce
from ostiary.revocation.act import Act
from ostiary.serving.prepare import prepare
from ostiary.settings import load_settings
from ostiary.user_authentication.accounts import create_user, set_password_hash

APPLICATION: Final = "bench-app"
REDIRECT_URI: Final = "https://app.example/callback"
PASSWORD: Final = "four-words-for-the-bench"
# More than sign in at once: tries for one name are counted until one of them succeeds.
USERS: Final = tuple(f"user{number:02}" for number in range(64))
SCOPE: Final = "openid profile"
VERIFIER: Final = "v" * 43
REQUEST: Final = {
    "client_id": APPLICATION,
    "response_type": "code",
    "redirect_uri": REDIRECT_URI,
    "scope": SCOPE,
    "state": "st-1",
    "nonce": "n-1",
    "code_challenge": pkce.challenge(VERIFIER),
    "code_challenge_method": pkce.S256,
}


def told_to_the_peer() -> dict[str, object]:
    """The same for ``peers/people.mjs``."""
    return {"application": APPLICATION, "redirectUri": REDIRECT_URI, "users": USERS, "password": PASSWORD}


async def register(settings_file: Path) -> None:
    """Make them in the database that these settings name, before the server starts."""
    settings = load_settings(settings_file)
    await prepare(settings)
    async with installation(settings) as parts:
        act = Act("bench", parts.clock())
        with parts.server.passwords.slot() as slot:
            encoded = await slot.hash(PASSWORD)
        async with parts.storage.write() as work:
            await add_client(work, Limits.of(settings), _application(), act)
            for name in USERS:
                user = await create_user(work, username=name, claims={"name": "Bench User"}, act=act)
                await set_password_hash(work, user.user_id, encoded, act)


def _application() -> NewClient:
    return NewClient(
        client_id=APPLICATION,
        name="Bench application",
        authentication_method="none",
        # The peer asks for no consent either.
        login=NewLogin(application_type="browser", redirect_uris=[REDIRECT_URI], first_party=True),
    )
