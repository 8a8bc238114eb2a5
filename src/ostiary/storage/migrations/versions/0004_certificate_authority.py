"""The private certificate authority: authorities, certificates, revocation lists."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Column = sa.Column[str] | sa.Column[int] | sa.Column[bytes]


def upgrade() -> None:
    for create in (_authorities, _certificates, _revocation_lists):
        create()


def _authorities() -> None:
    _create(
        "authorities",
        _text("tenant", key=True),
        _text("authority_id", key=True),
        _text("kind"),
        _text("name"),
        _text("state"),
        _text("alg"),
        _octets("certificate"),
        _text("parent"),
        _text("key_store"),
        _octets("wrapped_private_key"),
        _whole("not_before"),
        _whole("not_after"),
        _whole("created_at"),
    )


def _certificates() -> None:
    _create(
        "certificates",
        _text("tenant", key=True),
        _text("serial", key=True),
        _text("authority_id"),
        _text("profile"),
        _text("owner"),
        _text("client_id"),
        _text("identities"),
        _text("thumbprint"),
        _text("key_thumbprint"),
        _octets("certificate"),
        _text("proof"),
        _whole("not_before"),
        _whole("not_after"),
        _whole("issued_at"),
        _whole("expires_at"),
        _whole("revoked_at", optional=True),
        _text("reason"),
        _whole("last_seen_at", optional=True),
    )
    op.create_index("certificates_by_thumbprint", "certificates", ["tenant", "thumbprint"], unique=True)
    op.create_index("certificates_by_key", "certificates", ["tenant", "key_thumbprint"])
    op.create_index("certificates_by_client", "certificates", ["tenant", "client_id"])
    op.create_index("certificates_by_issue", "certificates", ["tenant", "issued_at"])
    op.create_index("certificates_by_revocation", "certificates", ["tenant", "authority_id", "revoked_at"])
    op.create_index("certificates_by_end", "certificates", ["expires_at", "tenant", "serial"])


def _revocation_lists() -> None:
    _create(
        "revocation_lists",
        _text("tenant", key=True),
        _text("authority_id", key=True),
        _whole("number"),
        _octets("crl"),
        _whole("this_update"),
        _whole("next_update"),
    )


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _whole(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=optional, autoincrement=False)


def _octets(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _create(name: str, *columns: Column) -> None:
    op.create_table(name, *columns, sqlite_with_rowid=False)
