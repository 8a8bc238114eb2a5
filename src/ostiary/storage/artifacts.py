"""One-time artifacts: made once, consumed once, by one atomic statement."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import bindparam, update

from ostiary.model.artifact import OneTimeArtifact
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.schema import ARTIFACTS
from ostiary.storage.statements import Statement, insertion, lookup

_COLUMNS = tuple(OneTimeArtifact.__dataclass_fields__)
_ADD = insertion(ARTIFACTS)
_GET = lookup(ARTIFACTS, _COLUMNS, "tenant", "kind", "digest")
_CONSUME = Statement(
    update(ARTIFACTS)
    .where(
        ARTIFACTS.c.tenant == bindparam("of_tenant"),
        ARTIFACTS.c.kind == bindparam("of_kind"),
        ARTIFACTS.c.digest == bindparam("of_digest"),
        ARTIFACTS.c.consumed_at.is_(None),
        ARTIFACTS.c.expires_at > bindparam("now"),
    )
    .values(consumed_at=bindparam("now"))
    .returning(*(ARTIFACTS.c[name] for name in _COLUMNS))
)

_CONSUME_ALL = Statement(
    update(ARTIFACTS)
    .where(ARTIFACTS.c.tenant == bindparam("of_tenant"), ARTIFACTS.c.consumed_at.is_(None))
    .values(consumed_at=bindparam("now"))
)


class SqlArtifacts:
    """Codes, pushed requests, bootstrap secrets: whatever may be used once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, artifact: OneTimeArtifact) -> None:
        await self._connection.run(_ADD, {name: getattr(artifact, name) for name in _COLUMNS})

    async def consume(self, kind: str, digest: bytes, *, now: int, tenant: str = TENANT) -> OneTimeArtifact | None:
        """The artifact as it was before; None for all but the first, and after its end."""
        row = {"of_tenant": tenant, "of_kind": kind, "of_digest": digest, "now": now}
        taken = await self._connection.one(_CONSUME, row)
        return replace(OneTimeArtifact(*taken), consumed_at=None) if taken else None

    async def get(self, kind: str, digest: bytes, *, tenant: str = TENANT) -> OneTimeArtifact | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "kind": kind, "digest": digest})
        return OneTimeArtifact(*row) if row else None

    async def consume_all(self, *, now: int, tenant: str = TENANT) -> int:
        """Mark every one consumed that is not; how many."""
        return await self._connection.run(_CONSUME_ALL, {"of_tenant": tenant, "now": now})
