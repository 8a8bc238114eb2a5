"""The refusal of a URL, or of what stands behind it, by the guarded fetcher."""

from __future__ import annotations

from ostiary.errors import OstiaryError


class FetchRefused(OstiaryError):
    """The URL or the answer breaks a rule of the fetcher; trying again changes nothing.

    reason: what is wrong, for the operator; mend: what the owner of the URL or the operator can do.
    """

    def __init__(self, reason: str, *, mend: str = "") -> None:
        super().__init__(reason + (f"; {mend}" if mend else ""))
        self.reason = reason
        self.mend = mend
