"""Clients that prove themselves by certificate, and tokens that are bound to one: RFC 8705."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("clients", sa.Column("mutual_tls", sa.Text, nullable=False, server_default="{}"))
    op.add_column("client_keys", sa.Column("certificate", sa.LargeBinary, nullable=True))
    for table in ("access_tokens", "refresh_tokens"):
        op.add_column(table, sa.Column("certificate_thumbprint", sa.Text, nullable=False, server_default=""))
