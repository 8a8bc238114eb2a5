"""Slows guessing down without giving anybody the means to lock somebody else out (ASVS 6.3.1).

There is no count that strangers can fill and that would stop the victim:

- In a browser where the user has signed in before, tries are counted for that user and that browser. Only whoever has
  the browser's cookie can fill that count.
- Elsewhere they are counted for that user, by the name that was typed, and the network they come from, and the failures
  of a network together, so that one network cannot try a few passwords on each of many users.
- A user who is tried from very many networks at once has fewer tries in each, but never none.
- A code is asked for after a password only, so whoever guesses codes has the password already: outside the user's known
  browsers all of them share one count, lest a botnet finds one of a million. Recovery codes and passkeys are beyond
  guessing and are not counted: their owner has a way in even then.

The counts are of tries within a window that begins with the first; a success forgets it. A try is counted before it is
examined, so that tries sent at once do not slip through together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

from ostiary.authorization_server.client_address import network_of
from ostiary.authorization_server.source_address import UNKNOWN
from ostiary.errors import VerificationError
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.names import username_key

WINDOW: Final = 900
"""Seconds."""

OWN_LIMIT: Final = 10
"""Tries within a window, of a user in one known browser or from one network."""

PRESSED_LIMIT: Final = 3
"""The same from a network, for a user with more than ``USER_LIMIT`` failures from anywhere."""

NETWORK_LIMIT: Final = 100
"""Failures within a window from one network, whoever was tried."""

USER_LIMIT: Final = 100
THROTTLED: Final = "throttle"


class TooManyTries(VerificationError):
    """wait: seconds after which the next try is examined."""

    def __init__(self, wait: int, counter: str) -> None:
        super().__init__(THROTTLED, "too many tries", seen=counter, expected=f"a try in {wait} s at the earliest")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Counter:
    """name: in the table of failed attempts; limit: tries within the window that are examined."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """own: of each try, counted before it and forgotten at a success. network: of failures, it stops further tries.

    user: of failures, it only lowers the limit of ``own`` the next time. full: why no try would be examined now, if so.
    """

    own: Counter
    network: Counter | None = None
    user: Counter | None = None
    full: TooManyTries | None = None

    async def looked_up(self, work: UnitOfWork, now: float) -> Throttle:
        """The same with ``full``; writes nothing."""
        full = None
        for counter in (self.own, self.network):
            if counter is not None:
                count, ends = await work.failed_attempts.count(counter.name, now=int(now))
                if count >= counter.limit:
                    full = TooManyTries(max(1, ends - int(now)), counter.name.partition(":")[0])
        return replace(self, full=full)

    async def count(self, work: UnitOfWork, now: float) -> None:
        """Count a try. Raises TooManyTries if it is one too many: it must not be examined."""
        if await work.failed_attempts.note(self.own.name, now=int(now), window=WINDOW) > self.own.limit:
            _, ends = await work.failed_attempts.count(self.own.name, now=int(now))
            raise TooManyTries(max(1, ends - int(now)), self.own.name.partition(":")[0])

    async def failed(self, work: UnitOfWork, now: float) -> None:
        """Note that the try was examined and failed."""
        for counter in (self.network, self.user):
            if counter is not None:
                await work.failed_attempts.note(counter.name, now=int(now), window=WINDOW)

    async def succeeded(self, work: UnitOfWork) -> None:
        """Forget the tries of this user here. The network's stay: one's own account buys no tries on others'."""
        await work.failed_attempts.forget(self.own.name)


def subject(typed: str) -> str:
    """Whom the tries are counted for: what was typed, folded, as a digest, because it may be a mistyped password.

    Not the user found by it: then a count that is shared by two names would tell that they are somebody's.
    """
    return hashlib.sha256(username_key(typed).encode("utf-8", "surrogatepass")).hexdigest()[:32]


async def of_passwords(
    work: UnitOfWork, subject: str, address: str, known_browser: bytes | None, now: float
) -> Throttle:
    """known_browser: the digest of the browser if the user has signed in there before. Raises TooManyTries."""
    if known_browser is not None:
        throttle = Throttle(Counter(f"password-in-browser:{subject}:{known_browser.hex()}", OWN_LIMIT))
    else:
        network = network_of(address)
        user = Counter(f"password-of-user:{subject}", USER_LIMIT)
        pressed = (await work.failed_attempts.count(user.name, now=int(now)))[0] >= user.limit
        own = Counter(f"password:{subject}:{network}", PRESSED_LIMIT if pressed else OWN_LIMIT)
        # Where no address is known, one count for everybody would be a way to lock everybody out.
        everybody = None if network == UNKNOWN else Counter(f"network:{network}", NETWORK_LIMIT)
        throttle = Throttle(own, everybody, user)
    return await throttle.looked_up(work, now)


async def of_codes(work: UnitOfWork, kind: str, user_id: str, known_browser: bytes | None, now: float) -> Throttle:
    """The same for what follows a password; kind: of the factor, each counted apart."""
    place = f"in-browser:{user_id}:{known_browser.hex()}" if known_browser is not None else f"anywhere:{user_id}"
    return await Throttle(Counter(f"{kind}-{place}", OWN_LIMIT)).looked_up(work, now)
