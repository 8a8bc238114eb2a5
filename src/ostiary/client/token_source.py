"""One token, kept and renewed: however many threads and tasks wait for it, there is one request for it.

Each request runs in a short-lived thread of its own, for blocking and for asynchronous callers alike. So it belongs
to no event loop and to no caller: a caller that is cancelled does not take the others' token with it, a blocking
caller cannot wait for a task of the very loop that it blocks, and one client object may serve many threads and many
loops. It happens once in a token's life, so the thread costs nothing that could be measured.

A token has three ages. It is *fresh*; then, in the last tenth of its life (at most 30 seconds), it is *renewed*
behind the back of the callers, who go on using it; in the last quarter of that stretch, and when there is none,
callers *wait*. A failed request fails everybody who waited for it. The next call asks again, but no sooner than the
server's ``Retry-After`` or, from the second failure in a row, our own growing pause allows: until then it gets the
same error at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from ostiary.client.assertion import Clock
from ostiary.client.token_request import AccessToken
from ostiary.errors import Unavailable

MAX_AHEAD = 30.0
MAX_PAUSE = 30.0
FLIGHT_LIMIT = 60.0
DISTRUST = 10.0
_log = logging.getLogger("ostiary.client")


@dataclass(slots=True)
class _Flight:
    """A request under way. started: by a clock that only goes forward.

    pid: a process forked meanwhile has the object, but not the thread.
    """

    started: float
    pid: int = field(default_factory=os.getpid)
    outcome: Future[AccessToken] = field(default_factory=Future)


class TokenSource:
    """Gives a usable token; asks ``obtain`` (blocking, called in a thread) for a new one when it must.

    token: one that is there already. clock: seconds since the epoch, for the age of tokens; elapsed: seconds that only
    go forward, for the age of a request.
    """

    def __init__(
        self,
        obtain: Callable[[], AccessToken],
        *,
        clock: Clock,
        elapsed: Callable[[], float] = time.monotonic,
        token: AccessToken | None = None,
    ) -> None:
        self._obtain = obtain
        self._clock = clock
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._token = token
        self._flight: _Flight | None = None
        self._failures = 0
        self._failed_at = 0.0
        self._pause = 0.0
        self._error: BaseException | None = None
        self._refused_at: float | None = None

    def token(self, *, instead_of: AccessToken | None = None) -> AccessToken:
        """A usable token, waiting if need be. instead_of: one that an API has refused.

        Raises what the request for it raised, to every caller that waited.
        """
        found = self._now_or_soon(instead_of)
        if isinstance(found, AccessToken):
            return found
        try:
            return found.result(timeout=FLIGHT_LIMIT)
        except TimeoutError:
            raise Unavailable("token endpoint", f"no token within {FLIGHT_LIMIT:.0f} s") from None

    async def token_async(self, *, instead_of: AccessToken | None = None) -> AccessToken:
        """As ``token``, without blocking the event loop."""
        found = self._now_or_soon(instead_of)
        if isinstance(found, AccessToken):
            return found
        try:
            async with asyncio.timeout(FLIGHT_LIMIT):
                return await asyncio.wrap_future(found)
        except TimeoutError:
            raise Unavailable("token endpoint", f"no token within {FLIGHT_LIMIT:.0f} s") from None

    def refused_again(self) -> None:
        """An API has refused a brand-new token too: for ten seconds no refusal makes us ask for another one."""
        with self._lock:
            self._refused_at = self._clock()

    def _now_or_soon(self, instead_of: AccessToken | None) -> AccessToken | Future[AccessToken]:
        with self._lock:
            now = self._clock()
            kept = self._token if self._token is not None and now < usable_until(self._token) else None
            if kept is not None and (instead_of is None or kept.value != instead_of.value or self._distrusts(now)):
                if now >= _renew_at(kept) and not self._pausing(now):
                    self._fly()
                return kept
            if self._pausing(now) and self._error is not None and not self._flying():
                raise self._error.with_traceback(None)
            return self._fly().outcome

    def _distrusts(self, now: float) -> bool:
        return self._refused_at is not None and 0 <= now - self._refused_at < DISTRUST

    def _pausing(self, now: float) -> bool:
        return self._failures > 0 and 0 <= now - self._failed_at < self._pause

    def _flying(self) -> bool:
        flight = self._flight
        return flight is not None and flight.pid == os.getpid() and self._elapsed() - flight.started < FLIGHT_LIMIT

    def _fly(self) -> _Flight:
        # Called with the lock held: who finds a flight joins it, who finds none starts it, and never two do.
        if self._flight is not None and self._flying():
            return self._flight
        flight = _Flight(self._elapsed())
        flight.outcome.set_running_or_notify_cancel()  # from here on no waiter can cancel it for the others
        try:
            threading.Thread(target=self._run, args=(flight,), name="ostiary-token", daemon=True).start()
        except RuntimeError as error:
            raise Unavailable("token endpoint", f"no thread to ask in: {error}") from error
        self._flight = flight
        return flight

    def _run(self, flight: _Flight) -> None:
        try:
            token = self._obtain()
        except BaseException as error:  # handed to every waiter, whatever it is
            self._failed(flight, error)
        else:
            with self._lock:
                self._token, self._failures, self._error = token, 0, None
                self._forget(flight)
            flight.outcome.set_result(token)

    def _failed(self, flight: _Flight, error: BaseException) -> None:
        with self._lock:
            self._failures += 1
            self._failed_at, self._error = self._clock(), error
            self._pause = _pause(self._failures, error)
            self._forget(flight)
            behind = self._token is not None and self._failed_at < usable_until(self._token)
        # Who waits is told by the error; a renewal behind the callers' back has nobody else to tell.
        _log.log(logging.WARNING if behind else logging.DEBUG, "no new token: %s", error)
        flight.outcome.set_exception(error)

    def _forget(self, flight: _Flight) -> None:
        if self._flight is flight:
            self._flight = None


def _ahead(token: AccessToken) -> float:
    return min((token.expires_at - token.obtained_at) / 10, MAX_AHEAD)


def _renew_at(token: AccessToken) -> float:
    return token.expires_at - _ahead(token)


def usable_until(token: AccessToken) -> float:
    """From when on nobody is given ``token`` any more, a little before it expires; seconds since the epoch."""
    return token.expires_at - _ahead(token) / 4


def _pause(failures: int, error: BaseException) -> float:
    grown = 0.0 if failures == 1 else min(2.0 ** (failures - 2), MAX_PAUSE)
    # One second is what an Unavailable says that was told nothing.
    asked = error.retry_after if isinstance(error, Unavailable) and error.retry_after > 1 else 0
    return max(grown, asked)
