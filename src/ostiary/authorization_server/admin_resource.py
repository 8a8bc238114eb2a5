"""The admin API as a protected resource of this issuer: its identifier, its scopes, where its metadata stands."""

from __future__ import annotations

from typing import Final

from ostiary.protocol import metadata

READ: Final = "admin:read"
WRITE: Final = "admin:write"
SCOPES: Final = {
    READ: "see clients, users, keys, APIs, audit and traces",
    WRITE: "change clients, users, keys and APIs, and end what users have allowed",
}


def admin_identifier(issuer: str) -> str:
    """The identifier of the admin API: ``resource`` in the token request."""
    return f"{issuer}/admin"


def metadata_url(issuer: str) -> str:
    """Where the metadata of the admin API stands, at the issuer's own address: RFC 9728 section 3.1."""
    return metadata.protected_resource_url(admin_identifier(issuer))
