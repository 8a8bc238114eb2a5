"""The tables of security event streams."""

from __future__ import annotations

from sqlalchemy import Index

from ostiary.storage.columns import octets, table, tenant, text, whole

SIGNAL_STREAMS = table(
    "signal_streams",
    tenant(),
    text("stream_id", key=True),
    text("client_id"),
    text("method"),
    text("endpoint_url"),
    octets("sealed_authorization", optional=True),
    text("events_requested"),
    text("description"),
    text("status"),
    text("reason"),
    text("changed_by"),
    whole("verified_at", optional=True),
    whole("verification_asked_at"),
    whole("attempts"),
    whole("due_at"),
    whole("created_at"),
    whole("updated_at"),
    Index("signal_streams_by_client", "tenant", "client_id", unique=True),
)

SIGNAL_EVENTS = table(
    "signal_events",
    tenant(),
    text("stream_id", key=True),
    whole("position", key=True),
    text("jti"),
    text("user_id"),
    text("session_id"),
    text("event_type"),
    text("event"),
    whole("at"),
    whole("expires_at"),
    Index("signal_events_by_jti", "tenant", "stream_id", "jti", unique=True),
    Index("signal_events_by_end", "expires_at", "tenant", "stream_id", "position"),
)

RECEIVED_SIGNALS = table(
    "received_signals",
    tenant(),
    text("issuer", key=True),
    text("jti", key=True),
    whole("expires_at"),
    Index("received_signals_by_end", "expires_at", "tenant", "issuer", "jti"),
)

SIGNAL_REMOVED_SUBJECTS = table(
    "signal_removed_subjects",
    tenant(),
    text("stream_id", key=True),
    text("subject", key=True),
    whole("removed_at"),
)
