"""Two servers: what ends at the one, through which users sign in to the other, ends there, by push and by poll."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import trustme

from ostiary.admin.clients import create_client
from ostiary.admin.commands import NewClient, NewKey
from ostiary.admin.limits import Limits
from ostiary.admin.login_commands import NewLogin
from ostiary.admin.signal_streams import allow_receiver
from ostiary.app import Installation, installation
from ostiary.model.consent import Consent
from ostiary.model.factor import Factor
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation.act import Act
from ostiary.serving.prepare import prepare
from ostiary.settings import load_settings
from ostiary.user_authentication import accounts
from ostiary.user_authentication.session import SignIn, begin
from tests.real.own_certificate import certified
from tests.real.served import Served

pytestmark = pytest.mark.real
T = TypeVar("T")
ALLOW = {"fetching": ['allow_networks = ["127.0.0.0/8", "::1/128"]']}


@dataclass(frozen=True)
class Pair:
    """The provider, and the server that is told by it; subject: of the user at the provider."""

    provider: Served
    told: Served
    subject: str
    environment: dict[str, str]

    def sessions(self) -> int:
        """How many sessions of the user stand at the server that is told."""
        return len(json.loads(_cli(self.told, "session", "list", "ada")))


@pytest.fixture(params=["push", "poll"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """Both prepared, not running: ada has an account at each, linked, and is signed in through the provider."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    key = SigningKey.generate("ES256", kid="told")
    provider = _served(tmp_path / "provider", authority, {})
    secrets = {"key.jwk": json.dumps(key.private_jwk()), "push-secret": "what-only-both-know"}
    upstream = [
        f'issuer = "{provider.issuer}"',
        'client_id = "told"',
        'private_key_file = "key.jwk"',
        'name = "Provider"',
    ]
    how = ['push_secret_file = "push-secret"'] if request.param == "push" else ["poll_every = 1"]
    signals = [f'delivery = "{request.param}"', f'resource = "{provider.issuer}/ssf"', *how]
    sections = {"upstream.provider": upstream, "upstream.provider.signals": signals}
    told = _served(tmp_path / "told", authority, sections, secrets)
    subject = _do(provider, lambda parts: _ready_provider(parts, told.issuer, key))
    _do(told, lambda parts: _ready_told(parts, f"{provider.issuer} {subject}"))
    return Pair(provider, told, subject, {"SSL_CERT_FILE": str(tmp_path / "ca.pem")})


def test_a_user_who_is_disabled_at_the_provider_is_signed_out_here(pair: Pair) -> None:
    assert pair.sessions() == 1
    with pair.told.run(pair.environment), pair.provider.run(pair.environment):
        _until(lambda: json.loads(_cli(pair.provider, "signal", "list")))
        _cli(pair.provider, "user", "disable", "ada")
        _until(lambda: pair.sessions() == 0)
        # It was acknowledged, so nothing waits any more.
        _until(lambda: json.loads(_cli(pair.provider, "signal", "list"))[0]["waiting"] == 0)
    [taken] = json.loads(_cli(pair.told, "audit", "list", "--tag", "upstream_signal:taken"))
    assert (taken["actor"], taken["reason"]) == ("upstream:provider", "account-disabled")
    assert json.loads(_cli(pair.provider, "audit", "list", "--tag", "signals:told"))


def _served(
    folder: Path, authority: trustme.CA, sections: dict[str, list[str]], files: dict[str, str] | None = None
) -> Served:
    folder.mkdir()
    own = certified(folder, authority)
    for name, content in (files or {}).items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    return Served(folder, certificate=own.files, settings=ALLOW | sections)


async def _ready_provider(parts: Installation, told: str, key: SigningKey) -> str:
    """A user who has allowed the other server, which is a client here with a stream of its own; their ``sub``."""
    act, limits = Act("cli", time.time()), Limits.of(parts.settings)
    login = NewLogin(redirect_uris=[f"{told}/upstream/provider/callback"])
    public = json.dumps(key.verification_key.public_jwk())
    command = NewClient(client_id="told", name="Told", keys=[NewKey(key=public)], login=login)
    await create_client(parts.storage, limits, command, act)
    await allow_receiver(parts.storage, limits, parts.settings.issuer, "told", act)
    async with parts.storage.write() as work:
        user = await accounts.create_user(work, username="ada", act=act)
        now = int(act.now)
        await work.consents.put(Consent(user.user_id, "told", "", ("openid",), now, now))
    return user.user_id


async def _ready_told(parts: Installation, lookup: str) -> None:
    act = Act("cli", time.time())
    async with parts.storage.write() as work:
        user = await accounts.create_user(work, username="ada", act=act)
        await accounts.add_factor(work, Factor("fac_1", user.user_id, "upstream", "", b"", lookup=lookup), act)
        sign_in = SignIn(user.user_id, ("fed",), b"d" * 32, b"o" * 32, b"b" * 32, act.now)
        await begin(work, parts.settings.sign_in, sign_in)


def _do(served: Served, act: Callable[[Installation], Awaitable[T]]) -> T:
    async def inside() -> T:
        settings = load_settings(served.config, {})
        await prepare(settings)
        async with installation(settings) as parts:
            return await act(parts)

    return asyncio.run(inside())


def _cli(served: Served, *arguments: str) -> str:
    command = [sys.executable, "-m", "ostiary", *arguments, "--config", str(served.config), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _until(is_so: Callable[[], object], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)
