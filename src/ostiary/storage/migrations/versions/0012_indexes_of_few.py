"""Indexes of some rows: what stands in ``ostiary.toml``, applications, keys in certificates, what users allowed."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    _index("clients_static", "clients", "client_id", "source = 'static'")
    _index("clients_with_login", "clients", "client_id", "login IS NOT NULL AND state = 'active'")
    _index("client_keys_in_certificates", "client_keys", "thumbprint", "certificate IS NOT NULL AND state = 'active'")
    _index("apis_static", "apis", "identifier", "source = 'static'")
    _index("grants_of_users_by_client", "grants", "client_id", "user_id != ''")


def _index(name: str, table: str, key: str, where: str) -> None:
    chosen = sa.text(where)
    op.create_index(name, table, ["tenant", key], sqlite_where=chosen, postgresql_where=chosen)
