"""The checks of one decision: what was seen, what was expected, the mend; and the sinks that keep refused ones."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Protocol

import msgspec

from ostiary.errors import OAuthError, Unavailable, VerificationError

MAX_VALUE_LENGTH = 200
MAX_CHECKS = 64

# What a credential looks like.
_CREDENTIAL = re.compile(
    r"eyJ[\w-]{4,}\.[\w.-]+"  # a compact JWS or JWE
    r"|e(?:yA|w[0ok])[\w-]{12,}\.[\w.-]+"  # the same with white space before the first member of its header
    r"|ost_[a-z]{2}_[0-9A-Za-z_]{8,}"  # a secret of Ostiary's
    r"|-----BEGIN [A-Z ]+-----[\s\S]*"  # PEM
)


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One check of a decision, in the order in which it was made."""

    name: str
    passed: bool
    seen: str = ""
    expected: str = ""
    mend: str = ""


class TraceRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refused decision, as it is kept and shown by ``ostiary explain``.

    trace_id: unguessable; what the caller was given.
    at: seconds since the epoch.
    kind: what was decided: ``"token"``, ``"introspection"``, ``"api"``, ...
    outcome: ``"refused"`` or ``"fault"``.
    public: the sentence the caller was given.
    context: who and what, redacted: ``client_id``, ``method``, ``path``, ``api``, ...
    """

    trace_id: str
    at: float
    kind: str
    outcome: str
    public: str
    checks: tuple[Check, ...] = ()
    context: dict[str, str] = {}


class TraceSink(Protocol):
    """Where refused decisions go. It must neither block the request nor raise."""

    def record(self, record: TraceRecord) -> None: ...


def new_trace_id() -> str:
    """An unguessable trace id: ``tr_`` and 128 random bits in base64url."""
    return "tr_" + secrets.token_urlsafe(16)


def blot_out(text: str) -> str:
    """Blot out whatever looks like a credential, over any number of lines."""
    return _CREDENTIAL.sub("[credential]", text)


def redact(value: str) -> str:
    """Shorten a value for a trace and blot out whatever looks like a credential."""
    blotted = blot_out(value[: 4 * MAX_VALUE_LENGTH])
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in blotted)
    return printable if len(printable) <= MAX_VALUE_LENGTH else printable[: MAX_VALUE_LENGTH - 1] + "…"


class Trace:
    """Collects the checks of one decision; costs little while all goes well.

    ``note`` is handed to the verifying functions of ``protocol`` and called after each passed check.
    """

    __slots__ = ("_passed", "context", "kind")

    def __init__(self, kind: str, context: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.context: dict[str, str] = dict(context or {})
        self._passed: list[tuple[str, str, str]] = []

    def note(self, name: str, seen: str = "", expected: str = "") -> None:
        """Remember a passed check."""
        if len(self._passed) < MAX_CHECKS:
            self._passed.append((name, seen, expected))

    def refuse(self, error: Exception, *, at: float, trace_id: str | None = None) -> TraceRecord:
        """Close the decision with the error that ended it; values are redacted here and nowhere else."""
        checks = [Check(name, True, redact(seen), redact(expected)) for name, seen, expected in self._passed]
        match error:
            case VerificationError():
                public, outcome = error.public, "refused"
                last = Check(error.check, False, redact(error.seen), redact(error.expected), error.mend)
            case OAuthError():
                public, outcome = error.description, "refused"
                last = Check(error.check, False, redact(error.seen), redact(error.expected), error.mend)
            case Unavailable():
                public, outcome = "temporarily unavailable", "fault"
                last = Check(error.part, False, redact(error.detail), "an answer in time", f"look at the {error.part}")
            case _:
                public, outcome = "internal error", "fault"
                last = Check("internal", False, type(error).__name__)
        context = {name: redact(value) for name, value in self.context.items()}
        return TraceRecord(trace_id or new_trace_id(), at, self.kind, outcome, public, (*checks, last), context)
