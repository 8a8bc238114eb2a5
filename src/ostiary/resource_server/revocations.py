"""Which tokens of one issuer have ended, as far as its feed has told: looked up at each request, dropped in time.

A row that names a ``jti`` ends that token. Every other one ends the tokens that hang on what it names and were issued
before it: whose ``rev``, the position of the log at their issuance, is lower. No comparison of times takes part. Only a
signing key that was compromised ends all that it signed: whoever has it writes the ``rev`` that they like.

A row is dropped when the last token that it could concern has ended, a margin later, by this API's clock and by the
time that really passed, both: a clock that is set forward and back must not bring a revoked token back.
"""

from __future__ import annotations

from collections.abc import Sequence
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
_ABOVE_ALL: Final = float("inf")
_KINDS: Final[tuple[Kind, ...]] = (
    "installation",
    "client",
    "sub",
    "grant",
    "sid",
    "client_key",
    "client_key",
    "signing_key",
)
_MOST_STANDING: Final = 4096


class _Due:
    """Rows that are dropped together. clock: seconds since the epoch; elapsed: seconds of ``elapsed``."""

    __slots__ = ("clock", "elapsed", "named", "tokens")

    def __init__(self, clock: int, elapsed: int) -> None:
        self.clock = clock
        self.elapsed = elapsed
        self.tokens: list[str] = []
        self.named: list[tuple[str, _Named]] = []

    def is_after(self, other: _Due) -> bool:
        return (self.clock, self.elapsed) > (other.clock, other.elapsed)


class _Named:
    """That what hangs on one thing has ended, up to ``position``."""

    __slots__ = ("due", "kind", "position")

    def __init__(self, kind: Kind, position: float, due: _Due) -> None:
        self.kind = kind
        self.position = position
        self.due = due


class Revocations:
    """The rows. One thread adds and drops them, any number of others looks them up meanwhile, without a lock.

    leeway: seconds for which this API takes a token beyond its end.
    """

    def __init__(self, leeway: float) -> None:
        self._keep = leeway + MARGIN
        self._tokens: dict[str, _Due] = {}
        # Of one name more than one thing may be called, such as a client and its subject.
        self._named: dict[str, tuple[_Named, ...]] = {}
        self._named_none_of = self._named.keys().isdisjoint
        self._newest_named: float = _NONE
        self._standing: dict[str, Principal] = {}
        self._due: dict[tuple[int, int], _Due] = {}
        self._look_again = float("-inf")

    def __len__(self) -> int:
        """How many names are known to have ended."""
        return len(self._tokens) + len(self._named)

    def check(self, principal: Principal, now: float) -> None:
        """Raise VerificationError("revocation") if the token of ``principal`` has ended.

        The hot path: for a token seen before one look-up, however many rows there are, until the next row comes.
        now: not looked at; this is a RevocationHook.
        """
        standing = self._standing
        if standing.get(principal.token_id) is principal:
            return
        self._check_all(principal)
        if len(standing) >= _MOST_STANDING:
            standing.clear()
        # If a row came meanwhile, this is what was known before it, and nobody looks there any more.
        standing[principal.token_id] = principal

    def _check_all(self, principal: Principal) -> None:
        if principal.token_id in self._tokens:
            raise _refusal(principal, "jti")
        rev = _NONE if principal.rev is None else principal.rev
        if self._newest_named > rev:
            self._check_named(principal, rev)

    def _check_named(self, principal: Principal, rev: int) -> None:
        values = _hangs_on(principal)
        # All in one call, for nearly every token passes here.
        if self._named_none_of(values) or principal.kind != "access_token":
            return  # a client's own JWT hangs on its key alone, which is asked for anew
        for kind, value in zip(_KINDS, values, strict=True):
            for named in self._named.get(value or "", ()):
                if named.kind == kind and named.position > rev:
                    raise _refusal(principal, kind)

    def add(self, rows: Sequence[Row], *, issued_at: int, instant: float) -> None:
        """Learn ``rows``, those known already too.

        issued_at: the issuer's clock when it told them, so that this API's clock says nothing of how long they are
        kept; instant: seconds of ``elapsed`` at which they came.
        """
        newest = self._newest_named
        for row in rows:
            due = self._due_at(row.expires_at + self._keep, instant + max(row.expires_at - issued_at, 0) + self._keep)
            if row.kind != "jti":
                position = _ABOVE_ALL if row.kind == "signing_key" else row.position
                self._name(row, position, due)
                newest = max(newest, position)
            elif row.value not in self._tokens or due.is_after(self._tokens[row.value]):
                self._tokens[row.value] = due
                due.tokens.append(row.value)
        self._newest_named = newest
        if rows:
            self._standing = {}

    def _name(self, row: Row, position: float, due: _Due) -> None:
        present = self._named.get(row.value, ())
        for named in present:
            if named.kind == row.kind:
                named.position = max(named.position, position)
                if due.is_after(named.due):
                    named.due = due
                    due.named.append((row.value, named))
                return
        named = _Named(row.kind, position, due)
        self._named[row.value] = (*present, named)
        due.named.append((row.value, named))

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
        for value, named in due.named:
            if named.due is due:
                others = tuple(other for other in self._named[value] if other is not named)
                if others:
                    self._named[value] = others
                else:
                    del self._named[value]


def _hangs_on(principal: Principal) -> tuple[str | None, ...]:
    """What a row may name that ends the token, beside its ``jti``; in the order of _KINDS."""
    claims = principal.claims
    session, client_key = claims.get("sid"), claims.get("client_key")
    return (
        "",
        principal.client_id,
        principal.subject,
        principal.grant_id,
        session if isinstance(session, str) else None,
        client_key if isinstance(client_key, str) else None,
        # Whoever holds a certificate that was revoked holds what a token needs that is bound to it: RFC 8705 section 3.
        principal.certificate_thumbprint,
        principal.kid,
    )


def _refusal(principal: Principal, kind: Kind) -> VerificationError:
    below = f" above position {principal.rev} of the log" if kind != "jti" and principal.rev is not None else ""
    return VerificationError(
        REVOCATION,
        "token revoked",
        seen=f"a revocation of its {kind}",
        expected=f"none{below}",
        mend="get a new token; if that is refused, ask who runs the issuer why access was ended",
    )
