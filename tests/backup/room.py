"""An installation with something in every kind of column, on either database, and what becomes of its backup."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ostiary.audit.export import HeadsFile
from ostiary.audit.report import Report
from ostiary.audit.sealer import Sealer
from ostiary.audit.verify import verify
from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.backup import make, restore
from ostiary.backup.file import Contents
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.settings import Settings
from ostiary.storage.base import UnitOfWork
from ostiary.storage.migrate import upgrade
from ostiary.storage.open import storage_for
from tests.contract.storage import examples

T = TypeVar("T")


def quiet(what: str, count: int) -> None:
    """Nobody looks."""


@dataclass
class Room:
    """The settings of one installation on ``url``; every call opens the database as a process of its own would."""

    folder: Path
    url: str
    heads: bool = True
    now: float = 0.0

    def __post_init__(self) -> None:
        if not (self.folder / "kek").exists():
            create_key_encryption_key(self.folder / "kek")

    def clock(self) -> float:
        """That of this machine, so many seconds later."""
        return time.time() + self.now

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "issuer": "https://auth.example.com",
                "storage": {"url": self.url},
                "keys": {"key_encryption_key_file": str(self.folder / "kek")},
                "audit": {"heads_file": str(self.folder / "heads")} if self.heads else {},
            }
        )

    @property
    def keys(self) -> FileKeyManagement:
        return FileKeyManagement.from_settings(self.settings.keys)

    def write(self, act: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        async def inside() -> T:
            storage = storage_for(self.url)
            await storage.open()
            try:
                async with storage.write() as work:
                    return await act(work)
            finally:
                await storage.close()

        return asyncio.run(inside())

    def seal(self) -> None:
        """Make the keys that are missing, and seal and export what is unsealed."""

        async def inside() -> None:
            storage = storage_for(self.url)
            await storage.open()
            try:
                signing_keys = SigningKeys(storage, self.keys, self.settings, self.clock)
                await signing_keys.ensure()
                await Sealer(storage, signing_keys, self.folder / "heads", self.clock).seal_all()
            finally:
                await storage.close()

        asyncio.run(inside())

    def verify(self, heads: Path | None = None) -> Report:
        async def inside() -> Report:
            storage = storage_for(self.url)
            await storage.open()
            try:
                return await verify(storage, HeadsFile(heads or self.folder / "heads"), clock=self.clock)
            finally:
                await storage.close()

        return asyncio.run(inside())

    def fill(self) -> None:
        """Text of every kind, octets, truth values, nothing, and numbers of 64 bits."""
        upgrade(self.url)

        async def act(work: UnitOfWork) -> None:
            await work.clients.add(examples.client(name="Rechnungen ☕ \" \\ 'quoted'", secret_digest=b"\x00\xff'\\"))
            await work.apis.add(examples.api())
            await work.grants.add(examples.grant("gr_user", user_id="usr_1", session_id="ses_1"))
            await work.grants.add(examples.grant("g1"))
            await work.tokens.add(examples.token(rev=2**52))
            await work.artifacts.add(examples.artifact(expires_at=2**40))
            await work.traces.add(examples.trace(), expires_at=2**40, source="server")
            await work.revocations.append(examples.revocation("jti", "ended"))
            await work.audit.append(examples.event("somebody", personal={"address": "192.0.2.1"}))

        self.write(act)
        self.seal()

    def event(self, target: str) -> None:
        """One more event, sealed."""
        self.write(lambda work: work.audit.append(examples.event(target)))
        self.seal()

    def backup(self, name: str = "backup") -> Path:
        path = self.folder / name
        self.made = make.make(self.url, path, self.keys, now=self.clock(), progress=quiet)
        return path

    made: Contents | None = None

    def restore(self, path: Path, **options: Any) -> restore.Restored:
        return restore.restore(self.settings, path, self.keys, clock=self.clock, progress=quiet, **options)
