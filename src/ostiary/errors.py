"""The errors of Ostiary: a registered code, a sentence for the caller, a detail for the operator.

OstiaryError
├── ConfigurationError       the operator's input is wrong; the message names the mend
├── VerificationError        what was presented is not good: the check that failed, seen, expected, mend
│   └── NotMine              well-formed, but made for someone else: another verifier may take it
├── OAuthError               an answer of RFC 6749 5.2: code, public description, HTTP status
└── Unavailable              a part has failed; refuse with 503, never admit
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self


class OstiaryError(Exception):
    """The root of every error that Ostiary raises on purpose."""


class ConfigurationError(OstiaryError):
    """A setting, a file or an argument is wrong.

    The message is one sentence for a person that says what is wrong and how to mend it. It never holds a secret.
    """


class VerificationError(OstiaryError):
    """A credential was presented and one check refused it.

    check: the name of the check, stable, such as ``"audience"``; part of the API.
    public: one safe sentence for the caller, such as ``"audience mismatch"``.
    seen, expected: for the operator's trace only; redacted, never a credential.
    mend: what the operator or the caller's developer can do about it.
    """

    def __init__(self, check: str, public: str, *, seen: str = "", expected: str = "", mend: str = "") -> None:
        super().__init__(f"{check}: {public}")
        self.check = check
        self.public = public
        self.seen = seen
        self.expected = expected
        self.mend = mend


class NotMine(VerificationError):
    """The credential is not for this verifier (another issuer, another type); it is not called invalid."""


class OAuthError(OstiaryError):
    """An error answer of an OAuth endpoint, RFC 6749 section 5.2.

    code: a registered error code, such as ``"invalid_client"``.
    description: one public sentence in the characters that RFC 6749 5.2 allows (no quote, no backslash).
    status: the HTTP status.
    headers: further response headers, such as ``WWW-Authenticate`` or ``Retry-After``.
    check, seen, expected, mend: the private detail, for log and trace only.
    """

    def __init__(
        self,
        code: str,
        description: str,
        *,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
        check: str = "",
        seen: str = "",
        expected: str = "",
        mend: str = "",
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status
        self.headers = dict(headers or {})
        self.check = check or code
        self.seen = seen
        self.expected = expected
        self.mend = mend

    @classmethod
    def of(cls, error: VerificationError, code: str = "invalid_request", *, status: int = 400) -> Self:
        """``error`` as an endpoint tells it: its public sentence, under this code."""
        return cls(
            code,
            error.public,
            status=status,
            check=error.check,
            seen=error.seen,
            expected=error.expected,
            mend=error.mend,
        )


class Unavailable(OstiaryError):
    """A part that a decision needs (database, replay memory, key source) cannot answer: 503, never an admission.

    part: the part that failed, such as ``"storage"``; detail: for the log only.
    retry_after: seconds after which a new try makes sense; public: one safe sentence for the caller; mend: what whoever
    started the program can do, where more is known than that a part does not answer.
    """

    def __init__(
        self,
        part: str,
        detail: str = "",
        *,
        retry_after: int = 1,
        public: str = "temporarily unavailable, try again",
        mend: str = "",
    ) -> None:
        super().__init__(f"{part} is unavailable" + (f": {detail}" if detail else ""))
        self.part = part
        self.detail = detail
        self.retry_after = retry_after
        self.public = public
        self.mend = mend
