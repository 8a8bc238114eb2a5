"""Token Status Lists, and the tokens that have a place in one."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_HANGS_ON = ("subject", "grant_id", "session_id", "key_thumbprint", "certificate_thumbprint")


def upgrade() -> None:
    op.add_column("apis", sa.Column("status_list", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("access_tokens", sa.Column("status_list", sa.Text, nullable=True))
    op.add_column("access_tokens", sa.Column("status_index", sa.BigInteger, nullable=True))
    _index("access_tokens_by_place", ["tenant", "status_list", "status_index"], "status_list IS NOT NULL", unique=True)
    for name in _HANGS_ON:
        placed = f"status_list IS NOT NULL AND {name} != ''"
        _index(f"access_tokens_placed_by_{name}", ["tenant", name, "jti"], placed)
    _create_lists()


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


def _index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    chosen = sa.text(where)
    op.create_index(name, "access_tokens", columns, unique=unique, sqlite_where=chosen, postgresql_where=chosen)
