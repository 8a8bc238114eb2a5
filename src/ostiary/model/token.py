"""An access token that was issued: self-contained or reference, one record for both."""

from __future__ import annotations

from typing import Final

import msgspec

from ostiary.model.api import TokenFormat
from ostiary.protocol.checks import MAX_LEEWAY

TAKEN_BEYOND_ITS_END: Final = MAX_LEEWAY
"""Seconds after ``expires_at`` for which an API may still take a token, by the largest leeway for clocks that it can
have. So for as long there is something to revoke, and what a revocation goes by stays: the token's record, and the
grant, the session and the refresh token that it hangs on. In every other respect it has ended at ``expires_at``."""


class AccessToken(msgspec.Struct, frozen=True):
    """What is kept of an issued access token; the token itself is never kept.

    jti: unique, ordered by time of issue.
    digest: SHA-256 of a reference token, None for a self-contained one.
    key_thumbprint: the client key or certificate that obtained it; signing_kid: the key that signed it, None for a
        reference token.
    rev: position of the revocation log read before the issuing transaction; a log row for its subject, client, grant
        or key at a higher position ends it.
    issued_at, expires_at: seconds since the epoch.
    claims: further claims as JSON text, ``"{}"`` if none; with a user ``auth_time``, ``acr``, ``amr``.
    session_id: the session in which its user allowed it (``sid``), "" without one.
    certificate_thumbprint: of the certificate that it is bound to (``cnf``, ``x5t#S256``), "" for a bearer token.
    status_list, status_index: its place in a Token Status List, None for one that has none.
    """

    jti: str
    format: TokenFormat
    digest: bytes | None
    client_id: str
    subject: str
    grant_id: str
    audience: str
    scope: str
    key_thumbprint: str
    signing_kid: str | None
    rev: int
    issued_at: int
    expires_at: int
    claims: str = "{}"
    session_id: str = ""
    certificate_thumbprint: str = ""
    status_list: str | None = None
    status_index: int | None = None
    tenant: str = "default"
