"""Why a validation failed."""

from __future__ import annotations

from ostiary.errors import OstiaryError


class ChallengeFailed(OstiaryError):
    """code: an ACME error type (RFC 8555 section 6.7); detail: for the client, no content of what was fetched.

    again: whether another try may succeed.
    """

    def __init__(self, code: str, detail: str, *, again: bool = True) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.again = again
