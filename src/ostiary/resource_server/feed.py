"""What one issuer's revocation feed has told, and how old that can be at most: ``docs/decisions/revocation-feed.md``.

No I/O: ``subscription.py`` brings what came in, and the times at which it did.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import msgspec

from ostiary.protocol import revocation_feed
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.jws import CompactJws
from ostiary.protocol.revocation_feed import Known, Message, Row
from ostiary.resource_server.revocations import Revocations
from ostiary.resource_server.watch import Watch

_NEVER = float("-inf")


class RevocationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How an API stands with one issuer's feed.

    choice: ``"feed"``, ``"introspect"``, ``"until_expiry"`` or ``"hook"``; the rest says something for ``"feed"`` only.
    staleness: seconds, how old what is known can be at most; infinite before the first complete answer.
    position: of the revocation log, up to which it is known; rows: what is known as ended. following: whether an answer
    of the issuer is being read. reconnects: answers that ended and were asked for anew. fault: why the last one ended.
    """

    issuer: str
    choice: str
    staleness: float = float("inf")
    position: int = 0
    rows: int = 0
    following: bool = False
    reconnects: int = 0
    fault: str = ""


class Feed:
    """The state of one feed. ``question`` begins an answer, ``take`` takes its messages; one thread calls both.

    max_staleness: seconds. ended: told of the rows of each message, once they are looked up. clock, elapsed: as of
    ResourceServer.
    """

    def __init__(
        self,
        issuer: str,
        *,
        leeway: float,
        max_staleness: float,
        clock: Callable[[], float],
        elapsed: Callable[[], float],
        ended: Callable[[Sequence[Row]], None] = lambda _: None,
    ) -> None:
        self.issuer = issuer
        self.max_staleness = max_staleness
        self.revocations = Revocations(leeway)
        self.watch = Watch(self.revocations.check, _NEVER)
        self.settled: Future[None] = Future()  # once it is known whether this feed can be followed
        self.reader: str | None = None
        self.taken = 0
        self.reconnects = 0
        self.following = False
        self.fault = ""
        self._clock, self._elapsed, self._ended = clock, elapsed, ended
        self._known = Known()
        self._as_of = _NEVER
        self._nonce: str | None = None
        self._asked = 0.0
        self._at_first = 0

    @property
    def position(self) -> int:
        """Up to where the log is known."""
        return self._known.position

    def question(self, nonce: str | None = None) -> dict[str, str]:
        """The form fields that ask for everything which is not known yet. Begins an answer."""
        self._asked = self._elapsed()
        self._nonce = nonce or secrets.token_urlsafe(16)
        self.reader = None
        known = self._known
        form = {"nonce": self._nonce}
        if known.installation:
            form["installation"] = known.installation
            if known.position:
                form["after"] = str(known.position)
        return form

    def take(self, jws: CompactJws, key: VerificationKey) -> Message:
        """Learn the next message of the answer, which ``key`` of the issuer must have signed.

        Raises VerificationError if it is not the next one; then the answer is of no more use.
        """
        message = revocation_feed.verify(jws, key, issuer=self.issuer)
        first = self._nonce is not None
        known = revocation_feed.check_progress(self._known, message, nonce=self._nonce)
        instant = self._elapsed()
        self.revocations.add(message.rows, issued_at=message.iat, instant=instant)
        self._ended(message.rows)
        self._known = known
        if first:
            self._nonce, self._at_first, self.reader = None, message.at, message.reader
        if message.end == message.head:
            self._complete(message.at, instant)
        self.revocations.drop(self._clock(), instant)
        self.taken += 1
        return message

    def _complete(self, at: int, instant: float) -> None:
        # The node looked at the log no earlier than this. Its steady clock may run faster than ours: never beyond now.
        as_of = min(self._asked + (at - self._at_first) / 1000, instant)
        if as_of > self._as_of:
            self._as_of = as_of
            self.watch.good_until = as_of + self.max_staleness
        self.following, self.fault = True, ""
        self.settle()

    def start_over(self) -> None:
        """Ask for everything next time. What is known is kept besides: it can only refuse."""
        self._known = Known(self._known.installation)

    def settle(self) -> None:
        """Nobody needs to wait any longer for the first answer, whatever came of it."""
        if not self.settled.done():
            self.settled.set_result(None)

    def pause(self) -> None:
        """Nobody follows any more, here or in a process that was forked: what is known vouches for nothing."""
        self.watch.good_until = self._as_of = _NEVER
        self.settled = Future()
        self.following = False

    def staleness(self) -> float:
        """Seconds: how old what is known can be at most."""
        return self._elapsed() - self._as_of

    def age(self) -> str:
        """The staleness in words."""
        return "not known yet" if self._as_of == _NEVER else f"not known for {self.staleness():.0f} s"

    def status(self) -> RevocationStatus:
        """How this feed stands."""
        return RevocationStatus(
            issuer=self.issuer,
            choice="feed",
            staleness=self.staleness(),
            position=self.position,
            rows=len(self.revocations),
            following=self.following,
            reconnects=self.reconnects,
            fault=self.fault,
        )
