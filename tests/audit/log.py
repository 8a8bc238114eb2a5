"""A real audit log in a real SQLite file: written, sealed, exported, tampered with behind Ostiary's back, verified."""

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from ostiary.audit import tags
from ostiary.audit.export import HeadsFile
from ostiary.audit.folding import Folding
from ostiary.audit.head import Head
from ostiary.audit.report import Report
from ostiary.audit.retention import Dropped, drop_older
from ostiary.audit.sealer import Sealer
from ostiary.audit.verify import verify
from ostiary.model.event import AuditEvent
from ostiary.model.signing_key import InstallationKey, SigningKeyUse
from ostiary.protocol.jwk import SigningKey
from ostiary.storage.base import Positions
from ostiary.storage.sqlite import SqliteStorage
from tests.real_parts.migrated import put_migrated

NOW = 1_800_000_000
YOUNG = NOW + 1000
Result = TypeVar("Result")


class Keys:
    """The audit key that signs now."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key

    async def refresh(self, positions: Positions) -> None:
        """The one key stays."""

    def current(self, alg: str, use: SigningKeyUse) -> SigningKey:
        return self.key


class Log:
    """An installation's audit log; every call opens the database as a process of its own would."""

    def __init__(self, folder: Path, *, rows_per_segment: int = 4) -> None:
        self.database = folder / "ostiary.db"
        self.heads = folder / "outside" / "heads"
        self.now = NOW
        self.rows_per_segment = rows_per_segment
        put_migrated(self.database)
        self.key = SigningKey.generate("ES256")
        self.add_key(self.key)

    def run(self, action: Callable[[SqliteStorage], Awaitable[Result]]) -> Result:
        async def within() -> Result:
            storage = SqliteStorage(self.database)
            await storage.open()
            try:
                return await action(storage)
            finally:
                await storage.close()

        return asyncio.run(within())

    def add_key(self, key: SigningKey, *, state: str = "active") -> None:
        """Register an audit key. The wrapped half plays no part here."""
        import json

        public = json.dumps(key.verification_key.public_jwk())

        async def add(storage: SqliteStorage) -> None:
            async with storage.write() as work:
                await work.signing_keys.add(
                    InstallationKey(key.kid, "audit", key.alg, state, public, b"", NOW, NOW, None, None)  # type: ignore[arg-type]
                )

        self.run(add)

    def write(self, *events: AuditEvent) -> None:
        """Write the events as one process, each in a transaction of its own."""

        async def append(storage: SqliteStorage) -> None:
            for event in events:
                async with storage.write() as work:
                    await work.audit.append(event)

        self.run(append)

    def fill(self, count: int = 10, *, personal: bool = True) -> None:
        """Write ``count`` events with every column filled."""
        self.write(*(self.event(number, personal=personal) for number in range(count)))

    def event(self, number: int = 0, *, personal: bool = True) -> AuditEvent:
        return AuditEvent(
            tags.TOKEN_REFUSED,
            "refused",
            self.now * 1000 + number,
            actor="orders-client",
            target=f"jti-{number}",
            key_thumbprint="thumbprint",
            reason="audience",
            trace_id=f"tr_{number}",
            details={"resource": "https://orders.example.com"},
            personal={"address": f"192.0.2.{number % 250}"} if personal else {},
        )

    def sealer(self, storage: SqliteStorage, key: SigningKey | None = None, *, export: bool = True) -> Sealer:
        heads = self.heads if export else None
        return Sealer(
            storage, Keys(key or self.key), heads, lambda: float(self.now), rows_per_segment=self.rows_per_segment
        )

    def seal(self, key: SigningKey | None = None, *, export: bool = True) -> int:
        return self.run(lambda storage: self.sealer(storage, key, export=export).seal_all())

    def drop(self, before: int) -> Dropped:
        return self.run(lambda storage: drop_older(storage, before=before, now=self.now, actor="cli"))

    def fold(self, key: SigningKey | None = None, *, file: bool = True, batch: int = 500) -> int:
        heads = HeadsFile(self.heads) if file else None
        return self.run(lambda storage: Folding(storage, Keys(key or self.key), heads, batch=batch).fold())

    def checkpoint(self) -> str:
        """The one that stands in the database."""
        [[value]] = self.ask("SELECT value FROM settings WHERE name = 'audit_checkpoint'")
        return str(value)

    def verify(self) -> Report:
        heads = HeadsFile(self.heads)
        return self.run(lambda storage: verify(storage, heads, clock=lambda: float(self.now)))

    def found(self) -> list[tuple[str, str]]:
        """The findings: kind and where."""
        return [(finding.kind, finding.where) for finding in self.verify().findings]

    def kinds(self) -> set[str]:
        return {kind for kind, _ in self.found()}

    def tamper(self, statement: str, *parameters: object) -> int:
        """Change the database as somebody who can write the file would; how many rows it touched."""
        connection = sqlite3.connect(self.database)
        try:
            changed = connection.execute(statement, parameters).rowcount
            connection.commit()
        finally:
            connection.close()
        assert changed > 0, "the tampering touched nothing"
        return changed

    def ask(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()

    def copy_database(self, target: Path) -> None:
        """A backup: everything that is committed."""
        source, copy = sqlite3.connect(self.database), sqlite3.connect(target)
        source.backup(copy)
        source.close()
        copy.close()

    def restore_database(self, backup: Path) -> None:
        for suffix in ("-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
        shutil.copy(backup, self.database)


def another_head(head: Head) -> Head:
    """The same segment of another history."""
    return Head(head.installation, head.segment, head.rows, head.previous_head, "A" * 43, head.writers, head.at)
