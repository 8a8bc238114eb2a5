"""An access token that was issued: self-contained or reference, one record for both."""

from __future__ import annotations

import msgspec

from ostiary.model.api import TokenFormat


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
