"""Indexes of some rows: what stands in ``ostiary.toml``, applications, keys in certificates, what users allowed."""

from ostiary.storage.migrations.online import create_index

revision = "0012"
down_revision = "0011"

_INDEXES = (
    ("clients_static", "clients", "client_id", "source = 'static'"),
    ("clients_with_login", "clients", "client_id", "login IS NOT NULL AND state = 'active'"),
    ("client_keys_in_certificates", "client_keys", "thumbprint", "certificate IS NOT NULL AND state = 'active'"),
    ("apis_static", "apis", "identifier", "source = 'static'"),
    ("grants_of_users_by_client", "grants", "client_id", "user_id != ''"),
)


def upgrade() -> None:
    for name, table, key, where in _INDEXES:
        create_index(name, table, ["tenant", key], where=where)
