"""The tables of the server; every row has a tenant, and the tenant is part of every key and index.

Tables whose keys grow with time are stored in the order of their key, so that inserts touch the last pages only.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, Table, Text

METADATA = MetaData()


def _text(name: str, *, key: bool = False, optional: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=optional)


def _whole(name: str, *, key: bool = False, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def _octets(name: str, *, key: bool = False, optional: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, primary_key=key, nullable=optional)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _tenant() -> Column[str]:
    return _text("tenant", key=True)


def _table(name: str, *items: Column[str] | Column[int] | Column[bytes] | Column[bool] | Index) -> Table:
    return Table(name, METADATA, *items, sqlite_with_rowid=False)


CLIENTS = _table(
    "clients",
    _tenant(),
    _text("client_id", key=True),
    _text("name"),
    _text("kind"),
    _text("state"),
    _text("owner"),
    _text("source"),
    _text("authentication_method"),
    _text("grant_types"),
    _text("scopes"),
    _whole("token_life", optional=True),
    _text("jwks_uri", optional=True),
    _flag("may_register_keys"),
    _whole("max_concurrency"),
    _text("grant_id"),
    _whole("created_at"),
    _whole("updated_at"),
)

CLIENT_KEYS = _table(
    "client_keys",
    _tenant(),
    _text("thumbprint", key=True),
    _text("client_id"),
    _text("kid"),
    _text("alg"),
    _text("jwk"),
    _text("source"),
    _text("state"),
    _text("owner"),
    _whole("not_before"),
    _whole("expires_at", optional=True),
    _text("parent", optional=True),
    _whole("created_at"),
    _whole("last_used_at", optional=True),
    Index("client_keys_by_kid", "tenant", "client_id", "kid", unique=True),
    Index("client_keys_by_parent", "tenant", "parent"),
)

APIS = _table(
    "apis",
    _tenant(),
    _text("identifier", key=True),
    _text("name"),
    _text("state"),
    _text("source"),
    _text("owner"),
    _text("client_id", optional=True),
    _text("scopes"),
    _text("token_format"),
    _text("token_alg"),
    _whole("token_life"),
    _whole("created_at"),
    _whole("updated_at"),
    Index("apis_by_client", "tenant", "client_id"),
)

GRANTS = _table(
    "grants",
    _tenant(),
    _text("grant_id", key=True),
    _text("client_id"),
    _text("subject"),
    _text("kind"),
    _whole("created_at"),
    _whole("expires_at", optional=True),
    _whole("ended_at", optional=True),
)

ACCESS_TOKENS = _table(
    "access_tokens",
    _tenant(),
    _text("jti", key=True),
    _text("format"),
    _octets("digest", optional=True),
    _text("client_id"),
    _text("subject"),
    _text("grant_id"),
    _text("audience"),
    _text("scope"),
    _text("key_thumbprint"),
    _text("signing_kid", optional=True),
    _whole("rev"),
    _whole("issued_at"),
    _whole("expires_at"),
    _text("claims"),
    Index("access_tokens_by_client", "tenant", "client_id", "jti"),
    Index("access_tokens_by_end", "expires_at", "tenant", "jti"),
)
_DIGEST = ACCESS_TOKENS.c.digest.is_not(None)
Index(
    "access_tokens_by_digest",
    ACCESS_TOKENS.c.tenant,
    ACCESS_TOKENS.c.digest,
    unique=True,
    sqlite_where=_DIGEST,
    postgresql_where=_DIGEST,
)

# The key begins with the time bucket in which the mark ends: marks of one moment stand on few pages, and expiry
# deletes from one edge. On PostgreSQL many transactions mark at once, so there one unique index decides.
REPLAY_MARKS = _table(
    "replay_marks",
    _whole("bucket", key=True),
    _tenant(),
    _octets("digest", key=True),
)
Index("replay_marks_once", REPLAY_MARKS.c.tenant, REPLAY_MARKS.c.digest, unique=True).ddl_if(dialect="postgresql")

SIGNING_KEYS = _table(
    "signing_keys",
    _tenant(),
    _text("kid", key=True),
    _text("use"),
    _text("alg"),
    _text("state"),
    _text("public_jwk"),
    _octets("wrapped_private_key"),
    _whole("published_at"),
    _whole("activated_at", optional=True),
    _whole("retired_at", optional=True),
    _whole("remove_after", optional=True),
)

REVOCATIONS = _table(
    "revocations",
    _tenant(),
    _whole("position", key=True),
    _text("kind"),
    _text("value"),
    _whole("at"),
    _whole("expires_at"),
    _text("reason"),
    Index("revocations_by_value", "tenant", "kind", "value", "position"),
    Index("revocations_by_end", "expires_at", "tenant", "position"),
)

AUDIT_EVENTS = _table(
    "audit_events",
    _tenant(),
    _text("writer", key=True),
    _whole("number", key=True),
    _whole("at"),
    _text("tag"),
    _text("outcome"),
    _text("actor"),
    _text("target"),
    _text("key_thumbprint"),
    _text("reason"),
    _text("trace_id"),
    _text("details"),
    _text("personal", optional=True),
    _octets("personal_salt", optional=True),
    _octets("personal_digest", optional=True),
    _whole("segment", optional=True),
    _whole("place", optional=True),
    Index("audit_events_by_segment", "tenant", "segment", "at", "writer", "number"),
    Index("audit_events_by_time", "tenant", "at", "writer", "number"),
)

AUDIT_SEGMENTS = _table(
    "audit_segments",
    _tenant(),
    _whole("segment", key=True),
    _whole("row_count"),
    _octets("previous_head"),
    _octets("head"),
    _text("signature"),
    _whole("sealed_at"),
    _whole("dropped_at", optional=True),
)

TRACES = _table(
    "traces",
    _tenant(),
    _text("trace_id", key=True),
    _text("source"),
    _text("record"),
    _whole("expires_at"),
    Index("traces_by_end", "expires_at", "tenant", "trace_id"),
)

ARTIFACTS = _table(
    "one_time_artifacts",
    _tenant(),
    _text("kind", key=True),
    _octets("digest", key=True),
    _text("payload"),
    _whole("created_at"),
    _whole("expires_at"),
    _whole("consumed_at", optional=True),
    Index("one_time_artifacts_by_end", "expires_at", "tenant", "kind", "digest"),
)

COUNTERS = _table("counters", _tenant(), _text("name", key=True), _whole("value"))

SETTINGS = _table("settings", _tenant(), _text("name", key=True), _text("value"))
