"""The signing keys of an installation on real SQLite, under a clock set by hand, as several processes see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.key_management.base import GeneratedKey, KeyManagement, KeyUse
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.key_encryption_key import KeyEncryptionKey
from ostiary.model.signing_key import InstallationKey, SigningKeyUse
from ostiary.settings import Settings
from ostiary.storage.base import Storage
from ostiary.storage.sqlite import SqliteStorage
from tests.real_parts.migrated import put_migrated

T = TypeVar("T")
KEK, NEW_KEK = KeyEncryptionKey(bytes(range(32))), KeyEncryptionKey(bytes(range(32, 64)))
ROTATE_AFTER, PUBLISH_BEFORE, JWKS_MAX_AGE, MAX_LIFE = 10_000, 1_000, 300, 3_600
KEEP = MAX_LIFE + 60


def key_settings(**keys: object) -> Settings:
    times = {"rotate_after": ROTATE_AFTER, "publish_before": PUBLISH_BEFORE, "jwks_max_age": JWKS_MAX_AGE}
    return Settings.model_validate({"issuer": "https://auth.example.com", "keys": {**times, **keys}})


class KeyWorld:
    """storage: of the first process; every process made here shares the database and the clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1_800_000_000.25
        self.storage: Storage = SqliteStorage(path)

    def clock(self) -> float:
        return self.now

    def process(
        self,
        key_management: KeyManagement | None = None,
        *,
        settings: Settings | None = None,
        storage: Storage | None = None,
    ) -> SigningKeys:
        management = key_management or FileKeyManagement(lambda: KEK)
        return SigningKeys(storage or self.storage, management, settings or key_settings(), self.clock)

    async def rows(self, use: SigningKeyUse = "token") -> list[InstallationKey]:
        async with self.storage.read() as work:
            return await work.signing_keys.list(use)

    async def states(self, use: SigningKeyUse = "token") -> dict[str, str]:
        return {key.kid: key.state for key in await self.rows(use)}

    async def only(self, state: str, use: SigningKeyUse = "token") -> InstallationKey:
        found = [key for key in await self.rows(use) if key.state == state]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} keys are {state}")
        return found[0]

    async def events(self) -> list[tuple[str, str, str]]:
        """Tag, target and actor of every audit row."""
        async with self.storage.read() as work:
            rows = await work.audit.query(limit=1000)
        return [(row.tag, row.target, row.actor) for row in rows]


@asynccontextmanager
async def key_world(tmp_path: Path) -> AsyncIterator[KeyWorld]:
    path = tmp_path / "ostiary.db"
    put_migrated(path)
    world = KeyWorld(path)
    await world.storage.open()
    try:
        yield world
    finally:
        await world.storage.close()


def in_world(tmp_path: Path, claim: Callable[[KeyWorld], Awaitable[T]]) -> T:
    """Run ``claim`` in a world of its own."""

    async def run() -> T:
        async with key_world(tmp_path) as world:
            return await claim(world)

    return asyncio.run(run())


class CountingKeyManagement(FileKeyManagement):
    """Counts what it generates, and can stop before or after."""

    def __init__(self, key: KeyEncryptionKey = KEK) -> None:
        super().__init__(lambda: key)
        self.generated: list[tuple[str, str]] = []
        self.before_generating: Callable[[], Awaitable[object]] | None = None

    async def generate(self, alg: str, *, use: KeyUse) -> GeneratedKey:
        self.generated.append((use, alg))
        hook, self.before_generating = self.before_generating, None
        if hook is not None:
            await hook()
        return await super().generate(alg, use=use)
