"""Clients that are workloads with a SPIFFE ID of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("clients", sa.Column("spiffe_id", sa.Text, nullable=True))
    op.create_index("clients_by_spiffe_id", "clients", ["tenant", "spiffe_id"], unique=True)
