"""Who reads the revocation feed, and up to where each has applied it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "feed_readers",
        sa.Column("tenant", sa.Text, primary_key=True, nullable=False),
        sa.Column("digest", sa.LargeBinary, primary_key=True, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("feed_readers_by_node", "feed_readers", ["tenant", "node"])
    op.create_index("feed_readers_by_end", "feed_readers", ["expires_at", "tenant", "digest"])
