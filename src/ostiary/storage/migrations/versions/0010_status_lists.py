"""Token Status Lists, and the tokens that have a place in one."""

import sqlalchemy as sa
from alembic import op

from ostiary.storage.migrations.online import create_index, has_column

revision = "0010"
down_revision = "0009"

_HANGS_ON = ("subject", "grant_id", "session_id", "key_thumbprint", "certificate_thumbprint")


def upgrade() -> None:
    if not has_column("access_tokens", "status_index"):
        _add_columns()
        _create_lists()
    place = ["tenant", "status_list", "status_index"]
    create_index("access_tokens_by_place", "access_tokens", place, where="status_list IS NOT NULL", unique=True)
    for name in _HANGS_ON:
        placed = f"status_list IS NOT NULL AND {name} != ''"
        create_index(f"access_tokens_placed_by_{name}", "access_tokens", ["tenant", name, "jti"], where=placed)


def _add_columns() -> None:
    op.add_column("apis", sa.Column("status_list", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("access_tokens", sa.Column("status_list", sa.Text, nullable=True))
    op.add_column("access_tokens", sa.Column("status_index", sa.BigInteger, nullable=True))


def _create_lists() -> None:
    op.create_table(
        "status_lists",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("list_id", sa.Text, primary_key=True),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("renew_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("given", sa.LargeBinary, nullable=False),
        sa.Column("given_count", sa.BigInteger, nullable=False),
        sa.Column("statuses", sa.LargeBinary, nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("status_lists_by_end", "status_lists", ["expires_at", "tenant", "list_id"])
