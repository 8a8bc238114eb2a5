"""How many connections one address has, so that one peer cannot take them all."""

from __future__ import annotations

from collections import Counter

from ostiary.authorization_server.source_address import source
from ostiary.settings.fields import is_loopback


class AddressLimit:
    """Counts the open connections of each IPv4 address and of each /64 of IPv6; it remembers only who has some.

    loopback_is_free: leave the machine's own addresses alone: a proxy or a tunnel there stands for everybody.
    """

    def __init__(self, most: int, *, loopback_is_free: bool = True) -> None:
        self._most = most
        self._loopback_is_free = loopback_is_free
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many sources have connections."""
        return len(self._open)

    def enter(self, address: str) -> str | None:
        """Count a connection of ``address``: what ``leave`` takes when it ends, or None if it is one too many."""
        if self._loopback_is_free and is_loopback(address):
            return ""
        key = source(address)
        if self._open[key] >= self._most:
            return None
        self._open[key] += 1
        return key

    def leave(self, key: str) -> None:
        """A counted connection has ended."""
        if not key:
            return
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]
