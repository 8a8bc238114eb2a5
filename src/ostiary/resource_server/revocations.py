"""Which tokens of one issuer have ended, as far as its feed has told: looked up at each request, dropped in time.

A row that names a ``jti`` ends that token. Every other one ends the tokens that hang on what it names and were issued
before it: whose ``rev``, the position of the log at their issuance, is lower. No comparison of times takes part.

A row is dropped when the last token that it could concern has ended, a margin later, by this API's clock and by the
time that really passed, both: a clock that is set forward and back must not bring a revoked token back.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol.revocation_feed import Kind, Row
from ostiary.resource_server.errors import REVOCATION
from ostiary.resource_server.principal import Principal

MARGIN: Final = 600.0
"""Seconds: how far a clock may be set back after its time is over, before an ended token looks alive to it again."""

_STEP: Final = 60
_NONE: Final = -1
_NAMED: Final[tuple[Kind, ...]] = ("installation", "client", "sub", "grant", "sid", "client_key", "signing_key")


class _Due:
    """Rows that are dropped together. clock: seconds since the epoch; elapsed: seconds of ``elapsed``."""

    __slots__ = ("clock", "elapsed", "named", "tokens")

    def __init__(self, clock: int, elapsed: int) -> None:
        self.clock = clock
        self.elapsed = elapsed
        self.tokens: list[str] = []
        self.named: list[tuple[Kind, str]] = []


class Revocations:
    """The rows. One thread adds and drops them, any number of others looks them up meanwhile, without a lock.

    leeway: seconds for which this API takes a token beyond its end.
    """

    def __init__(self, leeway: float) -> None:
        self._keep = leeway + MARGIN
        self._tokens: dict[str, _Due] = {}
        self._positions: dict[Kind, dict[str, int]] = {kind: {} for kind in _NAMED}
        self._ends: dict[Kind, dict[str, _Due]] = {kind: {} for kind in _NAMED}
        self._clients, self._subjects = self._positions["client"], self._positions["sub"]
        self._grants, self._sessions = self._positions["grant"], self._positions["sid"]
        self._client_keys, self._signing_keys = self._positions["client_key"], self._positions["signing_key"]
        self._everything = self._positions["installation"]
        self._newest_named = _NONE
        self._due: dict[tuple[int, int], _Due] = {}
        self._look_again = float("-inf")

    def __len__(self) -> int:
        """How many things are named, each once."""
        return len(self._tokens) + sum(map(len, self._positions.values()))

    def check(self, principal: Principal, now: float) -> None:
        """Raise VerificationError("revocation") if the token of ``principal`` has ended.

        The hot path: one look-up for a token that was issued after the newest row that names no ``jti``.
        now: not looked at; this is a RevocationHook.
        """
        rev = principal.rev
        if rev is None:
            rev = _NONE
        if principal.token_id in self._tokens or (self._newest_named > rev and self._ended(principal, rev)):
            self._refuse(principal, rev)

    def _ended(self, principal: Principal, rev: int) -> bool:
        # Written out, for it runs at each request of a token that is older than some row.
        return (
            self._clients.get(principal.client_id, _NONE) > rev
            or self._subjects.get(principal.subject, _NONE) > rev
            or self._everything.get("", _NONE) > rev
            or (bool(self._grants) and self._grants.get(principal.grant_id or "", _NONE) > rev)
            or (bool(self._sessions) and self._sessions.get(_text(principal, "sid"), _NONE) > rev)
            or (bool(self._client_keys) and self._client_keys.get(_text(principal, "client_key"), _NONE) > rev)
            or (bool(self._signing_keys) and self._signing_keys.get(principal.kid or "", _NONE) > rev)
        ) and principal.kind == "access_token"  # a client's own JWT hangs on its key alone, which is asked for anew

    def _refuse(self, principal: Principal, rev: int) -> None:
        values: dict[Kind, str] = {
            "client": principal.client_id,
            "sub": principal.subject,
            "installation": "",
            "grant": principal.grant_id or "",
            "sid": _text(principal, "sid"),
            "client_key": _text(principal, "client_key"),
            "signing_key": principal.kid or "",
        }
        ended = [kind for kind, value in values.items() if self._positions[kind].get(value, _NONE) > rev]
        raise VerificationError(
            REVOCATION,
            "token revoked",
            seen=f"the revocation of its {' and '.join(ended) or 'jti'}",
            expected="nothing that ends it" + (f" above position {rev} of the log" if rev >= 0 else ""),
            mend="get a new token; if that is refused, ask who runs the issuer why access was ended",
        )

    def add(self, rows: Iterable[Row], *, issued_at: int, instant: float) -> None:
        """Learn ``rows``, those known already too.

        issued_at: the issuer's clock when it told them, so that this API's clock says nothing of how long they are
        kept; instant: seconds of ``elapsed`` at which they came.
        """
        newest = self._newest_named
        for row in rows:
            due = self._due_at(row.expires_at + self._keep, instant + max(row.expires_at - issued_at, 0) + self._keep)
            if row.kind == "jti":
                if _later(due, self._tokens.get(row.value)):
                    self._tokens[row.value] = due
                    due.tokens.append(row.value)
            else:
                self._name(row, due)
                newest = max(newest, row.position)
        self._newest_named = newest

    def _name(self, row: Row, due: _Due) -> None:
        ends, positions = self._ends[row.kind], self._positions[row.kind]
        if _later(due, ends.get(row.value)):
            ends[row.value] = due
            due.named.append((row.kind, row.value))
        positions[row.value] = max(row.position, positions.get(row.value, _NONE))

    def _due_at(self, clock: float, elapsed: float) -> _Due:
        key = (ceil(clock / _STEP) * _STEP, ceil(elapsed / _STEP) * _STEP)
        due = self._due.get(key)
        if due is None:
            due = self._due[key] = _Due(*key)
        return due

    def drop(self, now: float, instant: float) -> None:
        """Forget the rows that can concern no token any more. now: seconds since the epoch; instant: of ``elapsed``."""
        if instant < self._look_again:
            return
        self._look_again = instant + _STEP
        for key, due in list(self._due.items()):
            if due.clock <= now and due.elapsed <= instant:
                del self._due[key]
                self._forget(due)

    def _forget(self, due: _Due) -> None:
        for value in due.tokens:
            if self._tokens.get(value) is due:  # else it came once more, with a later end
                del self._tokens[value]
        for kind, value in due.named:
            if self._ends[kind].get(value) is due:
                del self._ends[kind][value]
                del self._positions[kind][value]


def _later(due: _Due, before: _Due | None) -> bool:
    return before is None or (due.clock, due.elapsed) > (before.clock, before.elapsed)


def _text(principal: Principal, claim: str) -> str:
    value = principal.claims.get(claim)
    return value if isinstance(value, str) else ""
