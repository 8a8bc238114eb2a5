"""ACME: credentials of external account bindings, accounts, orders, authorizations, challenges."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Column = sa.Column[str] | sa.Column[int] | sa.Column[bytes]


def upgrade() -> None:
    for create in (_credentials, _accounts, _orders, _authorizations, _challenges):
        create()


def _credentials() -> None:
    _create(
        "acme_credentials",
        _text("tenant", key=True),
        _text("key_id", key=True),
        _text("owner"),
        _text("dns"),
        _text("networks"),
        _octets("sealed_key"),
        _text("state"),
        _whole("created_at"),
        _whole("revoked_at", optional=True),
    )


def _accounts() -> None:
    _create(
        "acme_accounts",
        _text("tenant", key=True),
        _text("account_id", key=True),
        _text("credential"),
        _text("owner"),
        _text("jwk"),
        _text("alg"),
        _text("thumbprint"),
        _text("contacts"),
        _text("state"),
        _whole("created_at"),
    )
    op.create_index("acme_accounts_by_key", "acme_accounts", ["tenant", "thumbprint"], unique=True)
    op.create_index("acme_accounts_by_credential", "acme_accounts", ["tenant", "credential"])


def _orders() -> None:
    _create(
        "acme_orders",
        _text("tenant", key=True),
        _text("order_id", key=True),
        _text("account_id"),
        _text("state"),
        _text("identifiers"),
        _whole("not_after", optional=True),
        _text("replaces"),
        _text("serial"),
        _text("error"),
        _whole("created_at"),
        _whole("ends_at"),
        _whole("expires_at"),
    )
    op.create_index("acme_orders_by_account", "acme_orders", ["tenant", "account_id", "created_at"])
    op.create_index("acme_orders_by_predecessor", "acme_orders", ["tenant", "replaces"])
    op.create_index("acme_orders_by_end", "acme_orders", ["expires_at", "tenant", "order_id"])


def _authorizations() -> None:
    _create(
        "acme_authorizations",
        _text("tenant", key=True),
        _text("authorization_id", key=True),
        _text("order_id"),
        _text("account_id"),
        _text("identifier"),
        _text("state"),
        _whole("ends_at"),
        _whole("expires_at"),
    )
    op.create_index("acme_authorizations_by_order", "acme_authorizations", ["tenant", "order_id"])
    op.create_index("acme_authorizations_by_end", "acme_authorizations", ["expires_at", "tenant", "authorization_id"])


def _challenges() -> None:
    _create(
        "acme_challenges",
        _text("tenant", key=True),
        _text("challenge_id", key=True),
        _text("authorization_id"),
        _text("account_id"),
        _text("kind"),
        _text("token"),
        _text("state"),
        _whole("attempts"),
        _whole("due_at"),
        _text("error"),
        _whole("validated_at", optional=True),
        _whole("expires_at"),
    )
    op.create_index("acme_challenges_by_authorization", "acme_challenges", ["tenant", "authorization_id"])
    op.create_index("acme_challenges_by_time", "acme_challenges", ["tenant", "state", "due_at"])
    op.create_index("acme_challenges_by_end", "acme_challenges", ["expires_at", "tenant", "challenge_id"])


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _whole(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=optional, autoincrement=False)


def _octets(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _create(name: str, *columns: Column) -> None:
    op.create_table(name, *columns, sqlite_with_rowid=False)
