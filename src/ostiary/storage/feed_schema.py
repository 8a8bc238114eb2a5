"""The table of those who read the revocation feed."""

from __future__ import annotations

from sqlalchemy import Index

from ostiary.storage.columns import octets, table, tenant, text, whole

FEED_READERS = table(
    "feed_readers",
    tenant(),
    octets("digest", key=True),
    text("client_id"),
    text("node"),
    whole("position"),
    whole("seen_at"),
    whole("expires_at"),
    Index("feed_readers_by_node", "tenant", "node"),
    Index("feed_readers_by_end", "expires_at", "tenant", "digest"),
)
