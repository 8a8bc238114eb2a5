"""The tables of ACME."""

from __future__ import annotations

from sqlalchemy import Index

from ostiary.storage.columns import octets, table, tenant, text, whole

ACME_CREDENTIALS = table(
    "acme_credentials",
    tenant(),
    text("key_id", key=True),
    text("owner"),
    text("dns"),
    text("networks"),
    octets("sealed_key"),
    text("state"),
    whole("created_at"),
    whole("revoked_at", optional=True),
)

ACME_ACCOUNTS = table(
    "acme_accounts",
    tenant(),
    text("account_id", key=True),
    text("credential"),
    text("owner"),
    text("jwk"),
    text("alg"),
    text("thumbprint"),
    text("contacts"),
    text("state"),
    whole("created_at"),
    Index("acme_accounts_by_key", "tenant", "thumbprint", unique=True),
    Index("acme_accounts_by_credential", "tenant", "credential"),
)

ACME_ORDERS = table(
    "acme_orders",
    tenant(),
    text("order_id", key=True),
    text("account_id"),
    text("state"),
    text("identifiers"),
    whole("not_after", optional=True),
    text("replaces"),
    text("serial"),
    text("error"),
    whole("created_at"),
    whole("ends_at"),
    whole("expires_at"),
    Index("acme_orders_by_account", "tenant", "account_id", "created_at"),
    Index("acme_orders_by_predecessor", "tenant", "replaces"),
    Index("acme_orders_by_end", "expires_at", "tenant", "order_id"),
)

ACME_AUTHORIZATIONS = table(
    "acme_authorizations",
    tenant(),
    text("authorization_id", key=True),
    text("order_id"),
    text("account_id"),
    text("identifier"),
    text("state"),
    whole("ends_at"),
    whole("expires_at"),
    Index("acme_authorizations_by_order", "tenant", "order_id"),
    Index("acme_authorizations_by_end", "expires_at", "tenant", "authorization_id"),
)

ACME_CHALLENGES = table(
    "acme_challenges",
    tenant(),
    text("challenge_id", key=True),
    text("authorization_id"),
    text("account_id"),
    text("kind"),
    text("token"),
    text("state"),
    whole("attempts"),
    whole("due_at"),
    text("error"),
    whole("validated_at", optional=True),
    whole("expires_at"),
    Index("acme_challenges_by_authorization", "tenant", "authorization_id"),
    Index("acme_challenges_by_time", "tenant", "state", "due_at"),
    Index("acme_challenges_by_end", "expires_at", "tenant", "challenge_id"),
)
