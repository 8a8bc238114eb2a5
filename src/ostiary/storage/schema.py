"""The tables of the server; every row has a tenant, and the tenant is part of every key and index.

Tables whose keys grow with time are stored in the order of their key, so that inserts touch the last pages only.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Index, Table, literal_column

from ostiary.storage import acme_schema as acme_schema
from ostiary.storage import certificate_schema as certificate_schema
from ostiary.storage import feed_schema as feed_schema
from ostiary.storage import signal_schema as signal_schema
from ostiary.storage import status_list_schema
from ostiary.storage.columns import METADATA as METADATA
from ostiary.storage.columns import flag, octets, table, tenant, text, whole


def _index_some(name: str, of: Table, key: str, chosen: ColumnElement[bool]) -> None:
    """Index the few rows that are ``chosen``, so that reading them reads none of the others."""
    Index(name, of.c.tenant, of.c[key], sqlite_where=chosen, postgresql_where=chosen)


CLIENTS = table(
    "clients",
    tenant(),
    text("client_id", key=True),
    text("name"),
    text("kind"),
    text("state"),
    text("owner"),
    text("source"),
    text("authentication_method"),
    text("grant_types"),
    text("scopes"),
    whole("token_life", optional=True),
    text("jwks_uri", optional=True),
    flag("may_register_keys"),
    whole("max_concurrency"),
    text("grant_id"),
    whole("created_at"),
    whole("updated_at"),
    text("login", optional=True),
    octets("secret_digest", optional=True),
    text("mutual_tls", default="{}"),
    text("spiffe_id", optional=True),
    Index("clients_by_spiffe_id", "tenant", "spiffe_id", unique=True),
)
# Whoever asks for such rows writes the same words: no planner finds an index of some rows by a parameter.
STATIC_CLIENT = CLIENTS.c.source == literal_column("'static'")
ACTIVE_APPLICATION = CLIENTS.c.login.is_not(None) & (CLIENTS.c.state == literal_column("'active'"))
_index_some("clients_static", CLIENTS, "client_id", STATIC_CLIENT)
_index_some("clients_with_login", CLIENTS, "client_id", ACTIVE_APPLICATION)

CLIENT_KEYS = table(
    "client_keys",
    tenant(),
    text("thumbprint", key=True),
    text("client_id"),
    text("kid"),
    text("alg"),
    text("jwk"),
    text("source"),
    text("state"),
    text("owner"),
    whole("not_before"),
    whole("expires_at", optional=True),
    text("parent", optional=True),
    whole("created_at"),
    whole("last_used_at", optional=True),
    octets("certificate", optional=True),
    Index("client_keys_by_kid", "tenant", "client_id", "kid", unique=True),
    Index("client_keys_by_parent", "tenant", "parent"),
)
KEY_IN_A_CERTIFICATE = CLIENT_KEYS.c.certificate.is_not(None) & (CLIENT_KEYS.c.state == literal_column("'active'"))
_index_some("client_keys_in_certificates", CLIENT_KEYS, "thumbprint", KEY_IN_A_CERTIFICATE)

APIS = table(
    "apis",
    tenant(),
    text("identifier", key=True),
    text("name"),
    text("state"),
    text("source"),
    text("owner"),
    text("client_id", optional=True),
    text("scopes"),
    text("token_format"),
    text("token_alg"),
    whole("token_life"),
    whole("created_at"),
    whole("updated_at"),
    flag("status_list", default=False),
    Index("apis_by_client", "tenant", "client_id"),
)
STATIC_API = APIS.c.source == literal_column("'static'")
_index_some("apis_static", APIS, "identifier", STATIC_API)

GRANTS = table(
    "grants",
    tenant(),
    text("grant_id", key=True),
    text("client_id"),
    text("subject"),
    text("kind"),
    whole("created_at"),
    whole("expires_at", optional=True),
    whole("ended_at", optional=True),
    text("user_id", default=""),
    text("session_id", default=""),
    text("scopes", default="{}"),
    text("facts", default="{}"),
    Index("grants_by_user", "tenant", "user_id", "client_id"),
    Index("grants_by_session", "tenant", "session_id"),
    Index("grants_by_end", "expires_at", "tenant", "grant_id"),
)
GRANT_OF_A_USER = GRANTS.c.user_id != literal_column("''")
_index_some("grants_of_users_by_client", GRANTS, "client_id", GRANT_OF_A_USER)

ACCESS_TOKENS = table(
    "access_tokens",
    tenant(),
    text("jti", key=True),
    text("format"),
    octets("digest", optional=True),
    text("client_id"),
    text("subject"),
    text("grant_id"),
    text("audience"),
    text("scope"),
    text("key_thumbprint"),
    text("signing_kid", optional=True),
    whole("rev"),
    whole("issued_at"),
    whole("expires_at"),
    text("claims"),
    text("session_id", default=""),
    text("certificate_thumbprint", default=""),
    text("status_list", optional=True),
    whole("status_index", optional=True),
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

status_list_schema.index_places(ACCESS_TOKENS)

# The key begins with the time bucket in which the mark ends: marks of one moment stand on few pages, and expiry
# deletes from one edge. On PostgreSQL many transactions mark at once, so there one unique index decides.
REPLAY_MARKS = table(
    "replay_marks",
    whole("bucket", key=True),
    tenant(),
    octets("digest", key=True),
)
Index("replay_marks_once", REPLAY_MARKS.c.tenant, REPLAY_MARKS.c.digest, unique=True).ddl_if(dialect="postgresql")

SIGNING_KEYS = table(
    "signing_keys",
    tenant(),
    text("kid", key=True),
    text("use"),
    text("alg"),
    text("state"),
    text("public_jwk"),
    octets("wrapped_private_key"),
    whole("published_at"),
    whole("activated_at", optional=True),
    whole("retired_at", optional=True),
    whole("remove_after", optional=True),
)

REVOCATIONS = table(
    "revocations",
    tenant(),
    whole("position", key=True),
    text("kind"),
    text("value"),
    whole("at"),
    whole("expires_at"),
    text("reason"),
    Index("revocations_by_value", "tenant", "kind", "value", "position"),
    Index("revocations_by_end", "expires_at", "tenant", "position"),
)

AUDIT_EVENTS = table(
    "audit_events",
    tenant(),
    text("writer", key=True),
    whole("number", key=True),
    whole("at"),
    text("tag"),
    text("outcome"),
    text("actor"),
    text("target"),
    text("key_thumbprint"),
    text("reason"),
    text("trace_id"),
    text("details"),
    text("personal", optional=True),
    octets("personal_salt", optional=True),
    octets("personal_digest", optional=True),
    whole("segment", optional=True),
    whole("place", optional=True),
    Index("audit_events_by_segment", "tenant", "segment", "at", "writer", "number"),
    Index("audit_events_by_time", "tenant", "at", "writer", "number"),
)

AUDIT_SEGMENTS = table(
    "audit_segments",
    tenant(),
    whole("segment", key=True),
    whole("row_count"),
    octets("previous_head"),
    octets("head"),
    text("signature"),
    whole("sealed_at"),
    whole("dropped_at", optional=True),
)

TRACES = table(
    "traces",
    tenant(),
    text("trace_id", key=True),
    text("source"),
    text("record"),
    whole("expires_at"),
    Index("traces_by_end", "expires_at", "tenant", "trace_id"),
)

ARTIFACTS = table(
    "one_time_artifacts",
    tenant(),
    text("kind", key=True),
    octets("digest", key=True),
    text("payload"),
    whole("created_at"),
    whole("expires_at"),
    whole("consumed_at", optional=True),
    Index("one_time_artifacts_by_end", "expires_at", "tenant", "kind", "digest"),
)

USERS = table(
    "users",
    tenant(),
    text("user_id", key=True),
    text("username"),
    text("username_key"),
    text("state"),
    text("email"),
    text("email_key"),
    flag("email_verified"),
    text("claims"),
    whole("created_at"),
    whole("updated_at"),
    Index("users_by_name", "tenant", "username_key", unique=True),
    Index("users_by_email", "tenant", "email_key"),
)

FACTORS = table(
    "factors",
    tenant(),
    text("factor_id", key=True),
    text("user_id"),
    text("kind"),
    text("name"),
    octets("secret"),
    text("lookup", optional=True),
    whole("counter"),
    text("details"),
    whole("created_at"),
    whole("last_used_at", optional=True),
    Index("factors_by_user", "tenant", "user_id", "kind"),
    Index("factors_by_lookup", "tenant", "kind", "lookup", unique=True),
)

SESSIONS = table(
    "sessions",
    tenant(),
    text("session_id", key=True),
    octets("digest"),
    octets("browser_digest"),
    text("user_id"),
    text("amr"),
    text("acr"),
    whole("auth_time"),
    whole("created_at"),
    whole("last_seen_at"),
    whole("idle_until"),
    whole("expires_at"),
    whole("ended_at", optional=True),
    text("device"),
    text("address"),
    Index("sessions_by_digest", "tenant", "digest"),
    Index("sessions_by_user", "tenant", "user_id"),
    Index("sessions_by_end", "expires_at", "tenant", "session_id"),
)

KNOWN_BROWSERS = table(
    "known_browsers",
    tenant(),
    text("user_id", key=True),
    octets("browser_digest", key=True),
    whole("created_at"),
    whole("last_seen_at"),
    whole("expires_at"),
    Index("known_browsers_by_end", "expires_at", "tenant", "user_id", "browser_digest"),
)

CONSENTS = table(
    "consents",
    tenant(),
    text("user_id", key=True),
    text("client_id", key=True),
    text("resource", key=True),
    text("scopes"),
    whole("created_at"),
    whole("updated_at"),
)

REFRESH_TOKENS = table(
    "refresh_tokens",
    tenant(),
    octets("digest", key=True),
    text("grant_id"),
    text("client_id"),
    text("user_id"),
    whole("generation"),
    text("key_thumbprint"),
    whole("created_at"),
    whole("idle_until"),
    whole("expires_at"),
    whole("used_at", optional=True),
    octets("successor", optional=True),
    octets("successor_digest", optional=True),
    whole("retry_until", optional=True),
    text("certificate_thumbprint", default=""),
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

FAILED_ATTEMPTS = table(
    "failed_attempts",
    tenant(),
    text("name", key=True),
    whole("count"),
    whole("expires_at"),
    Index("failed_attempts_by_end", "expires_at", "tenant", "name"),
)

DELIVERIES = table(
    "deliveries",
    tenant(),
    text("delivery_id", key=True),
    text("kind"),
    octets("payload"),
    whole("due_at"),
    whole("expires_at"),
    whole("attempts"),
    Index("deliveries_by_time", "tenant", "due_at", "delivery_id"),
    Index("deliveries_by_end", "expires_at", "tenant", "delivery_id"),
)

COUNTERS = table("counters", tenant(), text("name", key=True), whole("value"))

SETTINGS = table("settings", tenant(), text("name", key=True), text("value"))
