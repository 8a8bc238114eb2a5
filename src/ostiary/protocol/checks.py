"""The names of the checks, stable identifiers that errors and traces share, and how a value is shown in a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ostiary.errors import ConfigurationError, VerificationError

FORMAT: Final = "format"
HEADER: Final = "header"
ALGORITHM: Final = "algorithm"
KEY: Final = "key"
SIGNATURE: Final = "signature"
TYPE: Final = "type"
ISSUER: Final = "issuer"
SUBJECT: Final = "subject"
AUDIENCE: Final = "audience"
EXPIRY: Final = "expiry"
NOT_BEFORE: Final = "not_before"
ISSUED_AT: Final = "issued_at"
LIFETIME: Final = "lifetime"
JTI: Final = "jti"
CLIENT: Final = "client"
SCOPE: Final = "scope"
METHOD: Final = "method"
URL: Final = "url"
PROOF: Final = "proof"
CLAIMS: Final = "claims"
NONCE: Final = "nonce"
STATE: Final = "state"
AUTHORIZED_PARTY: Final = "authorized_party"
TOKEN_HASH: Final = "token_hash"
AUTH_TIME: Final = "auth_time"
ACR: Final = "acr"
SENDER_CONSTRAINT: Final = "sender_constraint"
CERTIFICATE: Final = "certificate"
STATUS: Final = "status"

Note = Callable[[str, str, str], None]
"""Called after each check that passed: its name, the value seen, the value expected."""

_SHOWN_LENGTH = 200


def shown(value: object) -> str:
    """What a trace may hold of ``value``: its text, control characters escaped, at most 200 characters."""
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"


def malformed(detail: str, *, expected: str = "", mend: str = "") -> VerificationError:
    """The refusal of something that is not of its format; ``detail`` is for the trace and holds no credential."""
    return VerificationError(FORMAT, "malformed credential", seen=detail, expected=expected, mend=mend)


MAX_LEEWAY: Final = 60
"""Seconds. FAPI 2.0 Security Profile 5.3.2.1-13: a time more than 60 seconds in the future is refused."""


def checked_leeway(leeway: float) -> float:
    """``leeway`` in seconds if it is between 0 and 60, else ConfigurationError."""
    if not 0 <= leeway <= MAX_LEEWAY:
        raise ConfigurationError(f"The leeway for clocks is {leeway} s; choose 0 to {MAX_LEEWAY} seconds.")
    return leeway
