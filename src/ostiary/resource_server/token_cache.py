"""Access tokens seen before, by the SHA-256 of the token: the signature is verified once, the rest at each request."""

from __future__ import annotations

import threading
from collections import OrderedDict

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

    Only tokens that passed get in, so forgeries cannot push others out. Safe between threads.
    """

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        self._size = size
        # A plain dict would look for its oldest entry among the places of all that went before it.
        self._entries: OrderedDict[bytes, Verified] = OrderedDict()
        self._lock = threading.Lock()
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
        with self._lock:
            if len(self._entries) >= self._size:
                self._entries.popitem(last=False)
            self._entries[digest] = verified

    def discard(self, digest: bytes) -> None:
        """Forget the entry, if there is one."""
        with self._lock:
            self._entries.pop(digest, None)
