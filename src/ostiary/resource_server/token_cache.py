"""Access tokens seen before, by the SHA-256 of the token: the signature is verified once, the rest at each request."""

from __future__ import annotations

from collections import deque

import msgspec

from ostiary.protocol.jwk import VerificationKey
from ostiary.resource_server.principal import Principal

DEFAULT_SIZE = 4096


class Verified(msgspec.Struct, frozen=True, gc=False):
    """A token whose signature, issuer, audience and type were good, and the key that signed it.

    until: when its life is over, in seconds of ``elapsed``; from then on it has to be verified anew.
    """

    principal: Principal
    key: VerificationKey
    until: float


class TokenCache:
    """At most ``size`` verified tokens; the oldest makes room. 0 means none. No token is kept, only its hash.

    Only tokens that passed get in, so forgeries cannot push others out. Safe between threads without a lock: each step
    is one of a dict or a deque, and the place of an entry in the order is made after it, so that none is left behind.
    """

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        self._size = size
        self._entries: dict[bytes, Verified] = {}
        # In the order of their coming, those that were forgotten since among them. A dict would look for its oldest
        # entry among the places of all that went before it, and an OrderedDict costs three times as much.
        self._order: deque[bytes] = deque()
        self.get = self._entries.get

    def __len__(self) -> int:
        return len(self._entries)

    def digests(self) -> list[bytes]:
        """The hashes of the tokens remembered."""
        return list(self._entries)

    def add(self, digest: bytes, verified: Verified) -> None:
        """Remember ``verified`` under ``digest``."""
        if self._size <= 0:
            return
        self._entries[digest] = verified
        self._order.append(digest)
        if len(self._order) > self._size:
            self._entries.pop(self._order.popleft(), None)

    def discard(self, digest: bytes) -> None:
        """Forget the entry, if there is one."""
        self._entries.pop(digest, None)
