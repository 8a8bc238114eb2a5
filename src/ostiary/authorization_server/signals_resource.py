"""The management of event streams as a protected resource of this issuer: its identifier, its scopes, its places."""

from __future__ import annotations

from typing import Final

READ: Final = "ssf.read"
MANAGE: Final = "ssf.manage"
SCOPES: Final = {
    READ: "fetch security events, see the own stream",
    MANAGE: "make, change and delete the own stream of security events",
}
"""The names that the CAEP Interoperability Profile 1.0 section 2.7.3 gives them."""

STREAMS_PATH: Final = "/ssf/streams"
STATUS_PATH: Final = "/ssf/status"
ADD_SUBJECT_PATH: Final = "/ssf/subjects/add"
REMOVE_SUBJECT_PATH: Final = "/ssf/subjects/remove"
VERIFICATION_PATH: Final = "/ssf/verify"
POLL_PATH: Final = "/ssf/poll/"


def signals_identifier(issuer: str) -> str:
    """The identifier of this API: ``resource`` in the token request."""
    return f"{issuer.rstrip('/')}/ssf"


def poll_url(issuer: str, stream_id: str) -> str:
    """Where the events of a stream are fetched."""
    return f"{issuer.rstrip('/')}{POLL_PATH}{stream_id}"
