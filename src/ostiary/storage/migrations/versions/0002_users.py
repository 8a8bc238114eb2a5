"""Users, their factors, sessions, consents and refresh tokens; what clients with users register."""

import sqlalchemy as sa
from alembic import op

from ostiary.storage.migrations.online import create_index, has_column

revision = "0002"
down_revision = "0001"

Column = sa.Column[str] | sa.Column[int] | sa.Column[bytes] | sa.Column[bool]


def upgrade() -> None:
    if not has_column("grants", "user_id"):
        for alter in _ALTERATIONS:
            alter()
        for create in _TABLES:
            create()
    create_index("grants_by_user", "grants", ["tenant", "user_id", "client_id"])
    create_index("grants_by_session", "grants", ["tenant", "session_id"])
    create_index("grants_by_end", "grants", ["expires_at", "tenant", "grant_id"])


def _text(name: str, *, key: bool = False, optional: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=optional, server_default=default)


def _whole(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def _octets(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, primary_key=key, nullable=optional)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _create(name: str, *columns: Column) -> None:
    op.create_table(name, *columns, sqlite_with_rowid=False)


def _alter_clients() -> None:
    op.add_column("clients", _text("login", optional=True))
    op.add_column("clients", _octets("secret_digest", optional=True))


def _alter_grants() -> None:
    for name in ("user_id", "session_id"):
        op.add_column("grants", _text(name, default=""))
    for name in ("scopes", "facts"):
        op.add_column("grants", _text(name, default="{}"))


def _alter_access_tokens() -> None:
    op.add_column("access_tokens", _text("session_id", default=""))


_ALTERATIONS = (_alter_clients, _alter_grants, _alter_access_tokens)


def _create_users() -> None:
    _create(
        "users",
        _text("tenant", key=True),
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
    )
    op.create_index("users_by_email", "users", ["tenant", "email_key"])
    op.create_index("users_by_name", "users", ["tenant", "username_key"], unique=True)


def _create_factors() -> None:
    _create(
        "factors",
        _text("tenant", key=True),
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
    )
    op.create_index("factors_by_lookup", "factors", ["tenant", "kind", "lookup"], unique=True)
    op.create_index("factors_by_user", "factors", ["tenant", "user_id", "kind"])


def _create_sessions() -> None:
    _create(
        "sessions",
        _text("tenant", key=True),
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
    )
    op.create_index("sessions_by_digest", "sessions", ["tenant", "digest"])
    op.create_index("sessions_by_end", "sessions", ["expires_at", "tenant", "session_id"])
    op.create_index("sessions_by_user", "sessions", ["tenant", "user_id"])


def _create_known_browsers() -> None:
    _create(
        "known_browsers",
        _text("tenant", key=True),
        _text("user_id", key=True),
        _octets("browser_digest", key=True),
        _whole("created_at"),
        _whole("last_seen_at"),
        _whole("expires_at"),
    )
    op.create_index("known_browsers_by_end", "known_browsers", ["expires_at", "tenant", "user_id", "browser_digest"])


def _create_consents() -> None:
    _create(
        "consents",
        _text("tenant", key=True),
        _text("user_id", key=True),
        _text("client_id", key=True),
        _text("resource", key=True),
        _text("scopes"),
        _whole("created_at"),
        _whole("updated_at"),
    )


def _create_refresh_tokens() -> None:
    _create(
        "refresh_tokens",
        _text("tenant", key=True),
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
    )
    op.create_index("refresh_tokens_by_end", "refresh_tokens", ["expires_at", "tenant", "digest"])
    op.create_index("refresh_tokens_by_grant", "refresh_tokens", ["tenant", "grant_id"])
    sealed = sa.column("successor").is_not(None)
    op.create_index(
        "refresh_tokens_by_window",
        "refresh_tokens",
        ["retry_until", "tenant"],
        sqlite_where=sealed,
        postgresql_where=sealed,
    )


def _create_failed_attempts() -> None:
    _create(
        "failed_attempts",
        _text("tenant", key=True),
        _text("name", key=True),
        _whole("count"),
        _whole("expires_at"),
    )
    op.create_index("failed_attempts_by_end", "failed_attempts", ["expires_at", "tenant", "name"])


def _create_deliveries() -> None:
    _create(
        "deliveries",
        _text("tenant", key=True),
        _text("delivery_id", key=True),
        _text("kind"),
        _octets("payload"),
        _whole("due_at"),
        _whole("expires_at"),
        _whole("attempts"),
    )
    op.create_index("deliveries_by_end", "deliveries", ["expires_at", "tenant", "delivery_id"])
    op.create_index("deliveries_by_time", "deliveries", ["tenant", "due_at", "delivery_id"])


_TABLES = (
    _create_users,
    _create_factors,
    _create_sessions,
    _create_known_browsers,
    _create_consents,
    _create_refresh_tokens,
    _create_failed_attempts,
    _create_deliveries,
)
