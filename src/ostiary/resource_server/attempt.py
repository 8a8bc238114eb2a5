"""One attempt to be admitted, and its story should it be refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from ostiary.errors import OstiaryError, VerificationError
from ostiary.protocol.checks import ALGORITHM, AUDIENCE, EXPIRY, ISSUER, SIGNATURE, Note, shown
from ostiary.resource_server.principal import Principal
from ostiary.resource_server.request import ApiRequest
from ostiary.trace import Trace, TraceRecord

Result = TypeVar("Result")


class Attempt(msgspec.Struct, eq=False):
    """A request, the scopes that the operation needs, and the time.

    now: seconds since the epoch, for what tokens say; instant: seconds of ``elapsed``, for the age of what is kept.
    principal: set once the caller is proved. token_seen_before: set where the cache vouched for signature and claims.
    """

    request: ApiRequest
    scopes: Sequence[str]
    now: float
    instant: float
    principal: Principal | None = None
    token_seen_before: bool = False
    _noted: list[tuple[str, str, str]] | None = None

    def told(self, verify: Callable[[Note | None], Result]) -> Result:
        """``verify`` without notes; if a check after the signature refuses, once more with notes, for the trace."""
        try:
            return verify(None)
        except VerificationError as error:
            self.retrace(error, verify)
            raise

    def retrace(self, error: VerificationError, verify: Callable[[Note | None], object]) -> None:
        """Note the checks that passed before ``error``, which ``verify`` raised when it was called without notes.

        So a good token costs no notes, and a forged one is never verified twice.
        """
        if error.check not in (SIGNATURE, ALGORITHM):
            with suppress(VerificationError):
                verify(self._note)

    def story(self, error: OstiaryError, api: str, trace_id: str) -> TraceRecord:
        """The record of a refusal by ``error``."""
        context = {"method": self.request.method, "path": self.request.path, "api": api}
        if self.principal is not None:
            context["client_id"] = self.principal.client_id
        trace = Trace("api", context)
        for name, seen, expected in self._noted or self._proved():
            trace.note(name, shown(seen), expected)
        return trace.refuse(error, at=self.now, trace_id=trace_id)

    def _proved(self) -> list[tuple[str, str, str]]:
        """What a principal stands for: checks that passed without notes, since a good token costs none."""
        caller = self.principal
        if caller is None:
            return []
        signature = "verified before, by this process" if self.token_seen_before else "verified"
        return [
            (SIGNATURE, signature, "a verified credential"),
            (ISSUER, caller.issuer, "an issuer that this API trusts"),
            (AUDIENCE, " ".join(caller.audience), "this API"),
            (EXPIRY, str(caller.expires_at), f"after {self.now:.0f}"),
        ]

    def _note(self, name: str, seen: str = "", expected: str = "") -> None:
        if self._noted is None:
            self._noted = []
        self._noted.append((name, seen, expected))
