"""The first schema. A migration is never changed once released, so it repeats what ``schema.py`` said that day."""

import secrets
import string

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Column = sa.Column[str] | sa.Column[int] | sa.Column[bytes] | sa.Column[bool]


def upgrade() -> None:
    for create in _TABLES:
        create()
    for counter in ("registry", "revocation"):
        op.execute(_insertion("counters", name=counter, value=0))
    alphabet = string.digits + string.ascii_letters
    installation_id = "".join(secrets.choice(alphabet) for _ in range(6))
    op.execute(_insertion("settings", name="installation_id", value=installation_id))


def _insertion(table: str, **values: str | int) -> sa.Insert:
    row = {"tenant": "default", **values}
    return sa.table(table, *(sa.column(name) for name in row)).insert().values(row)


def _text(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=optional)


def _whole(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def _octets(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, primary_key=key, nullable=optional)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _create(name: str, *columns: Column) -> None:
    op.create_table(name, *columns, sqlite_with_rowid=False)


def _create_clients() -> None:
    _create(
        "clients",
        _text("tenant", key=True),
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


def _create_client_keys() -> None:
    _create(
        "client_keys",
        _text("tenant", key=True),
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
    )
    op.create_index("client_keys_by_kid", "client_keys", ["tenant", "client_id", "kid"], unique=True)
    op.create_index("client_keys_by_parent", "client_keys", ["tenant", "parent"])


def _create_apis() -> None:
    _create(
        "apis",
        _text("tenant", key=True),
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
    )
    op.create_index("apis_by_client", "apis", ["tenant", "client_id"])


def _create_grants() -> None:
    _create(
        "grants",
        _text("tenant", key=True),
        _text("grant_id", key=True),
        _text("client_id"),
        _text("subject"),
        _text("kind"),
        _whole("created_at"),
        _whole("expires_at", optional=True),
        _whole("ended_at", optional=True),
    )


def _create_signing_keys() -> None:
    _create(
        "signing_keys",
        _text("tenant", key=True),
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


def _create_access_tokens() -> None:
    _create(
        "access_tokens",
        _text("tenant", key=True),
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
    )
    op.create_index("access_tokens_by_client", "access_tokens", ["tenant", "client_id", "jti"])
    where = sa.text("digest IS NOT NULL")
    op.create_index(
        "access_tokens_by_digest",
        "access_tokens",
        ["tenant", "digest"],
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_index("access_tokens_by_end", "access_tokens", ["expires_at", "tenant", "jti"])


def _create_replay_marks() -> None:
    _create(
        "replay_marks",
        _whole("bucket", key=True),
        _text("tenant", key=True),
        _octets("digest", key=True),
    )
    if op.get_context().dialect.name == "postgresql":
        op.create_index("replay_marks_once", "replay_marks", ["tenant", "digest"], unique=True)


def _create_revocations() -> None:
    _create(
        "revocations",
        _text("tenant", key=True),
        _whole("position", key=True),
        _text("kind"),
        _text("value"),
        _whole("at"),
        _whole("expires_at"),
        _text("reason"),
    )
    op.create_index("revocations_by_end", "revocations", ["expires_at", "tenant", "position"])
    op.create_index("revocations_by_value", "revocations", ["tenant", "kind", "value", "position"])


def _create_one_time_artifacts() -> None:
    _create(
        "one_time_artifacts",
        _text("tenant", key=True),
        _text("kind", key=True),
        _octets("digest", key=True),
        _text("payload"),
        _whole("created_at"),
        _whole("expires_at"),
        _whole("consumed_at", optional=True),
    )
    op.create_index("one_time_artifacts_by_end", "one_time_artifacts", ["expires_at", "tenant", "kind", "digest"])


def _create_audit_events() -> None:
    _create(
        "audit_events",
        _text("tenant", key=True),
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
    )
    op.create_index("audit_events_by_segment", "audit_events", ["tenant", "segment", "at", "writer", "number"])
    op.create_index("audit_events_by_time", "audit_events", ["tenant", "at", "writer", "number"])


def _create_audit_segments() -> None:
    _create(
        "audit_segments",
        _text("tenant", key=True),
        _whole("segment", key=True),
        _whole("row_count"),
        _octets("previous_head"),
        _octets("head"),
        _text("signature"),
        _whole("sealed_at"),
        _whole("dropped_at", optional=True),
    )


def _create_traces() -> None:
    _create(
        "traces",
        _text("tenant", key=True),
        _text("trace_id", key=True),
        _text("source"),
        _text("record"),
        _whole("expires_at"),
    )
    op.create_index("traces_by_end", "traces", ["expires_at", "tenant", "trace_id"])


def _create_counters() -> None:
    _create(
        "counters",
        _text("tenant", key=True),
        _text("name", key=True),
        _whole("value"),
    )


def _create_settings() -> None:
    _create(
        "settings",
        _text("tenant", key=True),
        _text("name", key=True),
        _text("value"),
    )


_TABLES = (
    _create_clients,
    _create_client_keys,
    _create_apis,
    _create_grants,
    _create_signing_keys,
    _create_access_tokens,
    _create_replay_marks,
    _create_revocations,
    _create_one_time_artifacts,
    _create_audit_events,
    _create_audit_segments,
    _create_traces,
    _create_counters,
    _create_settings,
)
