"""Replay memory in Valkey or Redis, for an API on several hosts: one round trip for the questions of one moment.

What is known of its faults stands in ``replay.marker``: after a flush, a restart or a failover proofs are refused for
one window. Valkey that is gone, slow, full or told to forget (``maxmemory-policy``) refuses for as long as it is so.
One primary, with or without replicas; its replicas may lag, as whoever becomes the primary begins with a window.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.extras import missing_extra
from ostiary.replay.marker import SCRIPT, Mark, Marks, check_policy, read_answers

try:
    import valkey
    import valkey.asyncio
    from valkey.exceptions import NoScriptError, ValkeyError
except ImportError as error:
    raise missing_extra("redis", error) from error

LONGEST_LIFE = 300.0
TIMEOUT = 1.0
_POLICY_EVERY = 60.0
_MOST_AT_ONCE = 500
_SCHEMES = {"redis": "valkey", "rediss": "valkeys", "valkey": "valkey", "valkeys": "valkeys", "unix": "unix"}
_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


def server_url(url: str) -> str:
    """The address as the client library wants it. Raises ConfigurationError, which does not show it."""
    scheme, colon, rest = url.partition(":")
    if scheme not in _SCHEMES or not colon:
        raise ConfigurationError(
            "The address of Valkey or Redis begins with valkey://, valkeys:// (TLS), redis://, rediss:// or unix://."
        )
    return f"{_SCHEMES[scheme]}:{rest}"


class RedisReplayMemory:
    """Shared by every process of every host that names the same server and ``name``.

    url: ``valkey://``, ``valkeys://`` (TLS), ``redis://``, ``rediss://`` or ``unix://``, with user, password and number
    of the database, as the client library wants them; name: whose marks these are, such as the API's identifier.
    longest_life: seconds; for how long proofs may live, and are refused after Valkey may have forgotten some.
    timeout: seconds for connecting and for an answer. clock: of this node, seconds since the epoch, which has to agree
    with that of Valkey to a minute; elapsed: seconds that only go forward.
    Raises ConfigurationError for a URL that is none.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "",
        longest_life: float = LONGEST_LIFE,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._marks = Marks(name, longest_life)
        self._url = server_url(url)
        self._timeout = timeout
        self._clock = clock
        self._elapsed = elapsed
        self._checked_at = -_POLICY_EVERY
        self._threads = self._client()
        self._loops: dict[asyncio.AbstractEventLoop, _Loop] = {}

    async def first_time(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        """See ``ReplayMemory``; what is asked while an answer is on its way shares the next round trip."""
        mark = self._marks.mark(issuer, jti, expires_at=expires_at, now=now)
        return await self._loop().ask(mark)

    def first_time_sync(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        """See ``ReplayMemory``."""
        mark = self._marks.mark(issuer, jti, expires_at=expires_at, now=now)
        try:
            if self._check_is_due():
                self.check_sync()
            [answer] = read_answers([mark], self._run([mark]))
        except (ValkeyError, OSError, ConfigurationError) as error:
            raise _unavailable(error) from error
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    async def check(self) -> None:
        """Whether this Valkey can be used, for a start. Raises Unavailable, and ConfigurationError if it may forget."""
        try:
            await self._loop().check()
        except (ValkeyError, OSError) as error:
            raise _unavailable(error) from error

    def check_sync(self) -> None:
        """The same for callers without an event loop."""
        try:
            check_policy(self._threads.execute_command("INFO", "memory").get("maxmemory_policy"))
        except (ValkeyError, OSError) as error:
            raise _unavailable(error) from error
        self._checked_at = self._elapsed()

    async def aclose(self) -> None:
        """Close the connections of this event loop and of threads; a later question opens them again."""
        mine = self._loops.pop(asyncio.get_running_loop(), None)
        if mine is not None:
            await mine.close()
        self._threads.close()

    def _client(self) -> valkey.Valkey:
        return valkey.Valkey.from_url(self._url, socket_timeout=self._timeout, socket_connect_timeout=self._timeout)

    def _run(self, marks: Sequence[Mark]) -> object:
        count, arguments = self._marks.arguments(marks, self._clock())
        try:
            return self._threads.execute_command("EVALSHA", _SHA, count, *arguments)
        except NoScriptError:
            return self._threads.execute_command("EVAL", SCRIPT, count, *arguments)

    def _loop(self) -> _Loop:
        loop = asyncio.get_running_loop()
        mine = self._loops.get(loop)
        if mine is None:
            # Some frameworks run each request in an event loop of its own.
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]
            client = valkey.asyncio.Valkey.from_url(
                self._url, socket_timeout=self._timeout, socket_connect_timeout=self._timeout
            )
            mine = self._loops[loop] = _Loop(client, self._marks, self._clock, self._check_is_due, self._check_done)
        return mine

    def _check_is_due(self) -> bool:
        # Somebody may change the policy of a running server.
        return self._elapsed() - self._checked_at >= _POLICY_EVERY

    def _check_done(self) -> None:
        self._checked_at = self._elapsed()


class _Loop:
    """What one event loop asks: one batch is on its way, whatever comes meanwhile goes with the next one."""

    def __init__(
        self,
        client: valkey.asyncio.Valkey,
        marks: Marks,
        clock: Callable[[], float],
        check_is_due: Callable[[], bool],
        check_done: Callable[[], None],
    ) -> None:
        self._client = client
        self._marks = marks
        self._clock = clock
        self._check_is_due = check_is_due
        self._check_done = check_done
        self._queue: list[tuple[Mark, asyncio.Future[bool]]] = []
        self._working: asyncio.Task[None] | None = None

    async def ask(self, mark: Mark) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((mark, answer))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work_off())
        return await answer

    async def check(self) -> None:
        found = await self._client.execute_command("INFO", "memory")
        check_policy(found.get("maxmemory_policy"))
        self._check_done()

    async def close(self) -> None:
        if self._working is not None:
            await asyncio.wait([self._working])
        await self._client.aclose()

    async def _work_off(self) -> None:
        while self._queue:
            asked, self._queue = self._queue[:_MOST_AT_ONCE], self._queue[_MOST_AT_ONCE:]
            answers: Sequence[bool | Unavailable] = [Unavailable("replay memory", "gave up")] * len(asked)
            try:
                answers = await self._answers([mark for mark, _ in asked])
            finally:
                for (_, future), answer in zip(asked, answers, strict=True):
                    _tell(future, answer)

    async def _answers(self, marks: Sequence[Mark]) -> Sequence[bool | Unavailable]:
        try:
            if self._check_is_due():
                await self.check()
            return read_answers(marks, await self._run(marks))
        except (ValkeyError, OSError, ConfigurationError) as error:
            return [_unavailable(error)] * len(marks)

    async def _run(self, marks: Sequence[Mark]) -> object:
        count, arguments = self._marks.arguments(marks, self._clock())
        try:
            return await self._client.execute_command("EVALSHA", _SHA, count, *arguments)
        except NoScriptError:
            return await self._client.execute_command("EVAL", SCRIPT, count, *arguments)


def _tell(asker: asyncio.Future[bool], answer: bool | Unavailable) -> None:
    if asker.done():
        return  # it went away
    if isinstance(answer, Unavailable):
        asker.set_exception(answer)
    else:
        asker.set_result(answer)


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable("replay memory", f"{type(error).__name__}: {error}")
