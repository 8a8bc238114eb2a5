"""What storage keeps of the readers of the revocation feed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ostiary.model.feed_reader import FeedReader
from ostiary.model.tenant import TENANT


class FeedReaders(Protocol):
    async def add(self, reader: FeedReader) -> None: ...

    async def applied(
        self, digest: bytes, position: int, *, seen_at: int, expires_at: int, tenant: str = TENANT
    ) -> bool:
        """Note up to where a reader has applied the log; a lower position than it said before changes none.

        False if there is no such reader (any more).
        """
        ...

    async def is_known(self, digest: bytes, *, tenant: str = TENANT) -> bool: ...

    async def keep(self, node: str, *, seen_at: int, expires_at: int, tenant: str = TENANT) -> int:
        """Every reader of ``node`` is there at ``seen_at``; how many. expires_at: the new end of their rows."""
        ...

    async def remove(self, digests: Collection[bytes], *, tenant: str = TENANT) -> None: ...
    async def list(self, *, tenant: str = TENANT) -> list[FeedReader]: ...
