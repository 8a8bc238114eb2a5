"""Security event tokens of upstream providers that were taken, so that none is taken twice."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "received_signals",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in ("tenant", "issuer", "jti")),
        sa.Column("expires_at", sa.BigInteger, nullable=False, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("received_signals_by_end", "received_signals", ["expires_at", "tenant", "issuer", "jti"])
