"""Clients that are workloads with a SPIFFE ID of their own."""

import sqlalchemy as sa
from alembic import op

from ostiary.storage.migrations.online import create_index, has_column

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    if not has_column("clients", "spiffe_id"):
        op.add_column("clients", sa.Column("spiffe_id", sa.Text, nullable=True))
    create_index("clients_by_spiffe_id", "clients", ["tenant", "spiffe_id"], unique=True)
