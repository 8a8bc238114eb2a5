"""The tables of the server; every row has a tenant, and the tenant is part of every key and index.

Tables whose keys grow with time are stored in the order of their key, so that inserts touch the last pages only.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, Table, Text

METADATA = MetaData()


def _text(name: str, *, key: bool = False, optional: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=optional, server_default=default)


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
    _text("login", optional=True),
    _octets("secret_digest", optional=True),
    _text("mutual_tls", default="{}"),
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
    _octets("certificate", optional=True),
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
    _text("user_id", default=""),
    _text("session_id", default=""),
    _text("scopes", default="{}"),
    _text("facts", default="{}"),
    Index("grants_by_user", "tenant", "user_id", "client_id"),
    Index("grants_by_session", "tenant", "session_id"),
    Index("grants_by_end", "expires_at", "tenant", "grant_id"),
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
    _text("session_id", default=""),
    _text("certificate_thumbprint", default=""),
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

USERS = _table(
    "users",
    _tenant(),
    _text("user_id", key=True),
    _text("username"),
    _text("username_key"),
    _text("state"),
    _text("email"),
    _text("email_key"),
    _flag("email_verified"),
    _text("claims"),
    _whole("created_at"),
    _whole("updated_at"),
    Index("users_by_name", "tenant", "username_key", unique=True),
    Index("users_by_email", "tenant", "email_key"),
)

FACTORS = _table(
    "factors",
    _tenant(),
    _text("factor_id", key=True),
    _text("user_id"),
    _text("kind"),
    _text("name"),
    _octets("secret"),
    _text("lookup", optional=True),
    _whole("counter"),
    _text("details"),
    _whole("created_at"),
    _whole("last_used_at", optional=True),
    Index("factors_by_user", "tenant", "user_id", "kind"),
    Index("factors_by_lookup", "tenant", "kind", "lookup", unique=True),
)

SESSIONS = _table(
    "sessions",
    _tenant(),
    _text("session_id", key=True),
    _octets("digest"),
    _octets("browser_digest"),
    _text("user_id"),
    _text("amr"),
    _text("acr"),
    _whole("auth_time"),
    _whole("created_at"),
    _whole("last_seen_at"),
    _whole("idle_until"),
    _whole("expires_at"),
    _whole("ended_at", optional=True),
    _text("device"),
    _text("address"),
    Index("sessions_by_digest", "tenant", "digest"),
    Index("sessions_by_user", "tenant", "user_id"),
    Index("sessions_by_end", "expires_at", "tenant", "session_id"),
)

KNOWN_BROWSERS = _table(
    "known_browsers",
    _tenant(),
    _text("user_id", key=True),
    _octets("browser_digest", key=True),
    _whole("created_at"),
    _whole("last_seen_at"),
    _whole("expires_at"),
    Index("known_browsers_by_end", "expires_at", "tenant", "user_id", "browser_digest"),
)

CONSENTS = _table(
    "consents",
    _tenant(),
    _text("user_id", key=True),
    _text("client_id", key=True),
    _text("resource", key=True),
    _text("scopes"),
    _whole("created_at"),
    _whole("updated_at"),
)

REFRESH_TOKENS = _table(
    "refresh_tokens",
    _tenant(),
    _octets("digest", key=True),
    _text("grant_id"),
    _text("client_id"),
    _text("user_id"),
    _whole("generation"),
    _text("key_thumbprint"),
    _whole("created_at"),
    _whole("idle_until"),
    _whole("expires_at"),
    _whole("used_at", optional=True),
    _octets("successor", optional=True),
    _octets("successor_digest", optional=True),
    _whole("retry_until", optional=True),
    _text("certificate_thumbprint", default=""),
    Index("refresh_tokens_by_grant", "tenant", "grant_id"),
    Index("refresh_tokens_by_end", "expires_at", "tenant", "digest"),
)
_SEALED = REFRESH_TOKENS.c.successor.is_not(None)
Index(
    "refresh_tokens_by_window",
    REFRESH_TOKENS.c.retry_until,
    REFRESH_TOKENS.c.tenant,
    sqlite_where=_SEALED,
    postgresql_where=_SEALED,
)

FAILED_ATTEMPTS = _table(
    "failed_attempts",
    _tenant(),
    _text("name", key=True),
    _whole("count"),
    _whole("expires_at"),
    Index("failed_attempts_by_end", "expires_at", "tenant", "name"),
)

DELIVERIES = _table(
    "deliveries",
    _tenant(),
    _text("delivery_id", key=True),
    _text("kind"),
    _octets("payload"),
    _whole("due_at"),
    _whole("expires_at"),
    _whole("attempts"),
    Index("deliveries_by_time", "tenant", "due_at", "delivery_id"),
    Index("deliveries_by_end", "expires_at", "tenant", "delivery_id"),
)

COUNTERS = _table("counters", _tenant(), _text("name", key=True), _whole("value"))

SETTINGS = _table("settings", _tenant(), _text("name", key=True), _text("value"))
