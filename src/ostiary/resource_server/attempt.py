"""One attempt to be admitted, and its story should it be refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ostiary.errors import OstiaryError, VerificationError
from ostiary.protocol.checks import ALGORITHM, SIGNATURE, Note, shown
from ostiary.resource_server.request import ApiRequest
from ostiary.trace import Trace, TraceRecord

Result = TypeVar("Result")


class Attempt:
    """A request, the scopes that the operation needs, and the time; seconds since the epoch.

    client_id: set once the caller is known. token_seen_before: set where the cache vouched for signature and claims.
    """

    __slots__ = ("_noted", "client_id", "now", "request", "scopes", "token_seen_before")

    def __init__(self, request: ApiRequest, scopes: Sequence[str], now: float) -> None:
        self.request = request
        self.scopes = scopes
        self.now = now
        self.client_id = ""
        self.token_seen_before = False
        self._noted: list[tuple[str, str, str]] | None = None

    def told(self, verify: Callable[[Note | None], Result]) -> Result:
        """``verify`` without notes; if a check after the signature refuses, once more with notes, for the trace.

        A good token costs no notes, and a forged one is never verified twice.
        """
        try:
            return verify(None)
        except VerificationError as error:
            if error.check in (SIGNATURE, ALGORITHM):
                raise
        return verify(self._note)

    def story(self, error: OstiaryError, api: str, trace_id: str) -> TraceRecord:
        """The record of a refusal by ``error``."""
        context = {"method": self.request.method, "path": self.request.path, "api": api}
        if self.client_id:
            context["client_id"] = self.client_id
        trace = Trace("api", context)
        if self.token_seen_before:
            trace.note("cached", "verified before", "a verified token")
        for name, seen, expected in self._noted or ():
            trace.note(name, shown(seen), expected)
        return trace.refuse(error, at=self.now, trace_id=trace_id)

    def _note(self, name: str, seen: str = "", expected: str = "") -> None:
        if self._noted is None:
            self._noted = []
        self._noted.append((name, seen, expected))
