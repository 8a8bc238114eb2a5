"""Hashes passwords with argon2id (RFC 9106) off the event loop: one thread, and a bounded queue before it.

One run costs 19 MiB and tens of milliseconds. Without a bound, whoever sends sign-ins fast enough would fill memory;
without the thread each of them would stop every other request for that long.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from ostiary.authorization_server import imported_hashes
from ostiary.errors import ConfigurationError, Unavailable, VerificationError

T = TypeVar("T")
MAX_WAITING: Final = 64
"""Runs that wait or are under way; more are refused with 503, after a second and a half of work at most."""

PASSWORD: Final = "password"
"""The name of the check that a wrong password fails."""

_MAX_IMPORTED_MEMORY = 262_144
_MAX_IMPORTED_PASSES = 16
_MAX_IMPORTED_LENGTH = 512
_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=(?:16|19)\$m=[1-9][0-9]{0,6},t=[1-9][0-9]{0,2},p=[1-9][0-9]?"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """memory: KiB; passes: over that memory. The default is OWASP's Password Storage Cheat Sheet for argon2id."""

    memory: int = 19_456
    passes: int = 2
    lanes: int = 1


class PasswordHashing:
    """One a process. ``with passwords.slot() as slot: await slot.verify(encoded, password)``"""

    def __init__(self, cost: Cost | None = None, *, max_waiting: int = MAX_WAITING) -> None:
        self.cost = cost or Cost()
        self._hasher = PasswordHasher(
            time_cost=self.cost.passes, memory_cost=self.cost.memory, parallelism=self.cost.lanes, type=Type.ID
        )
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="password-hashing")
        self._max_waiting = max_waiting
        self._taken = 0
        # What is verified for a user who has no password: the same work, and nothing that anybody knows matches it.
        self._decoy: str | None = None

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """A place in the queue, held until the block is left. Raises Unavailable if there is none."""
        if self._taken >= self._max_waiting:
            raise Unavailable("password hashing", f"{self._taken} passwords wait to be hashed", retry_after=2)
        self._taken += 1
        try:
            yield Slot(self)
        finally:
            self._taken -= 1

    def outdated(self, encoded: str) -> bool:
        """Whether the hash is not argon2id, or was made with less than is spent today."""
        try:
            made = extract_parameters(encoded)
        except InvalidHashError:
            return True
        return made.type is not Type.ID or made.memory_cost < self.cost.memory or made.time_cost < self.cost.passes

    def close(self) -> None:
        """End the thread; what waits is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _verified(self, encoded: str | None, password: bytes) -> bool:
        """In the thread: whether the password is the one of this hash; False, after as much work, for None."""
        if encoded is None:
            if self._decoy is None:
                self._decoy = self._hasher.hash(b"nobody's password")
            self._argon2_matches(self._decoy, password)
            return False
        imported = imported_hashes.parse(encoded)
        return imported.matches(password) if imported is not None else self._argon2_matches(encoded, password)

    def _argon2_matches(self, encoded: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except VerifyMismatchError:
            return False
        except Argon2Error as error:
            raise Unavailable("password hashing", str(error)) from error


class Slot:
    """A held place in the queue."""

    def __init__(self, passwords: PasswordHashing) -> None:
        self._passwords = passwords

    async def hash(self, password: str) -> str:
        """The argon2id hash of ``password``, a PHC string; every character counts, none is changed (ASVS 6.2.8)."""
        octets = password.encode("utf-8", "surrogatepass")
        return await self._passwords._in_thread(lambda: self._passwords._hasher.hash(octets))

    async def verify(self, encoded: str | None, password: str) -> None:
        """Raises VerificationError("password") unless ``password`` is the one of the hash; always, for None.

        encoded: None for a user who is not there or has no password; it takes as long as with one.
        """
        octets = password.encode("utf-8", "surrogatepass")
        if not await self._passwords._in_thread(lambda: self._passwords._verified(encoded, octets)):
            raise VerificationError(PASSWORD, "the password is wrong", seen="another password")


def check_importable(encoded: str) -> None:
    """Raises ConfigurationError unless ``encoded`` is a hash that ``verify`` takes, at a bounded cost."""
    try:
        known = _ARGON2.fullmatch(encoded) is not None
        if known:
            _check_argon2(extract_parameters(encoded))
        elif len(encoded) <= _MAX_IMPORTED_LENGTH and encoded.isascii():
            known = imported_hashes.parse(encoded) is not None
    except ValueError as error:
        raise ConfigurationError(f"the password hash {error}") from None
    if not known:
        raise ConfigurationError(
            "the password hash is of no known form: give argon2 ($argon2id$...), bcrypt ($2b$...) or PBKDF2 "
            "(pbkdf2_sha256$... or $pbkdf2-sha256$...)"
        )


def _check_argon2(made: Parameters) -> None:
    if made.memory_cost > _MAX_IMPORTED_MEMORY or made.time_cost > _MAX_IMPORTED_PASSES:
        raise ValueError(f"costs too much: at most {_MAX_IMPORTED_MEMORY} KiB and {_MAX_IMPORTED_PASSES} passes")
