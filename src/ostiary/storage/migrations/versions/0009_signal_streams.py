"""Streams of security events, the events that wait in them, and the subjects that receivers have removed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

Column = sa.Column[str] | sa.Column[int] | sa.Column[bytes]


def upgrade() -> None:
    for create in (_streams, _events, _removed_subjects):
        create()


def _streams() -> None:
    _create(
        "signal_streams",
        _text("tenant", key=True),
        _text("stream_id", key=True),
        _text("client_id"),
        _text("method"),
        _text("endpoint_url"),
        sa.Column("sealed_authorization", sa.LargeBinary, nullable=True),
        _text("events_requested"),
        _text("description"),
        _text("status"),
        _text("reason"),
        _text("changed_by"),
        _whole("verified_at", optional=True),
        _whole("verification_asked_at"),
        _whole("attempts"),
        _whole("due_at"),
        _whole("created_at"),
        _whole("updated_at"),
    )
    op.create_index("signal_streams_by_client", "signal_streams", ["tenant", "client_id"], unique=True)


def _events() -> None:
    _create(
        "signal_events",
        _text("tenant", key=True),
        _text("stream_id", key=True),
        _whole("position", key=True),
        _text("jti"),
        _text("user_id"),
        _text("session_id"),
        _text("event_type"),
        _text("event"),
        _whole("at"),
        _whole("expires_at"),
    )
    op.create_index("signal_events_by_jti", "signal_events", ["tenant", "stream_id", "jti"], unique=True)
    op.create_index("signal_events_by_end", "signal_events", ["expires_at", "tenant", "stream_id", "position"])


def _removed_subjects() -> None:
    _create(
        "signal_removed_subjects",
        _text("tenant", key=True),
        _text("stream_id", key=True),
        _text("subject", key=True),
        _whole("removed_at"),
    )


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _whole(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def _create(name: str, *columns: Column) -> None:
    op.create_table(name, *columns, sqlite_with_rowid=False)
