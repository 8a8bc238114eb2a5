"""Streams of security events and the events that wait in them: OpenID Shared Signals Framework 1.0 section 8."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

PUSH: Final = "urn:ietf:rfc:8935"
POLL: Final = "urn:ietf:rfc:8936"
DeliveryMethod = Literal["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"]

StreamStatus = Literal["enabled", "paused", "disabled"]
ChangedBy = Literal["receiver", "operator", "server"]


@dataclass(frozen=True, slots=True)
class SignalStream:
    """What one receiver is told and how; a receiver is a client, and has one stream.

    endpoint_url: where events are pushed, "" for poll. sealed_authorization: the Authorization header of each push,
        sealed, None if the receiver wants none.
    events_requested: types of events (URIs).
    status, reason, changed_by: whether events flow, and why and by whom that was changed last.
    verified_at: when the endpoint took its first event, None until then: nothing else is pushed before.
    verification_asked_at: when the receiver last asked for a verification event, 0 if never.
    attempts, due_at: failed pushes in a row, and when the next one is made. Times are seconds since the epoch.
    """

    stream_id: str
    client_id: str
    method: DeliveryMethod
    endpoint_url: str
    sealed_authorization: bytes | None = field(repr=False)
    events_requested: tuple[str, ...]
    description: str
    status: StreamStatus
    reason: str
    changed_by: ChangedBy
    verified_at: int | None
    verification_asked_at: int
    attempts: int
    due_at: int
    created_at: int
    updated_at: int
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class SignalEvent:
    """An event that waits for its receiver; the token is signed when it is sent.

    position: in the order of commits; 0 before it is written. jti: of its token, the same at every try.
    user_id, session_id: whom it concerns; "" for one about the stream itself.
    event: what it says, as JSON text. at: when it happened; expires_at: when it is given up. Seconds since the epoch.
    """

    stream_id: str
    jti: str
    event_type: str
    event: str
    at: int
    expires_at: int
    user_id: str = ""
    session_id: str = ""
    position: int = 0
    tenant: str = "default"
