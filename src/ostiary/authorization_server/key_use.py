"""When client keys and certificates were last used: kept in memory, written in batches, each at most once a minute."""

from __future__ import annotations

from ostiary.storage.base import Storage

INTERVAL = 60


class KeyUse:
    """``note`` costs a dictionary look-up; ``flush`` is called by a chore."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}
        self._waiting: dict[str, int] = {}

    def note(self, thumbprint: str, now: int) -> None:
        """Remember that a key or a certificate proved its client at ``now`` (seconds since the epoch)."""
        if now - self._written.get(thumbprint, 0) >= INTERVAL:
            self._waiting[thumbprint] = now

    async def flush(self, storage: Storage) -> int:
        """Write what has gathered; how many. After a fault it is tried again with the next flush."""
        batch, self._waiting = self._waiting, {}
        if not batch:
            return 0
        try:
            async with storage.write() as work:
                await work.client_keys.touch(batch)
                # Thumbprints of keys and of certificates never meet; each table takes those that it has.
                await work.certificates.touch(batch)
        except BaseException:
            self._waiting = batch | self._waiting
            raise
        oldest = max(batch.values()) - INTERVAL
        self._written = {name: at for name, at in self._written.items() if at > oldest} | batch
        return len(batch)
