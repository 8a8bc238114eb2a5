"""The tables of the private certificate authority."""

from __future__ import annotations

from sqlalchemy import Index

from ostiary.storage.columns import octets, table, tenant, text, whole

AUTHORITIES = table(
    "authorities",
    tenant(),
    text("authority_id", key=True),
    text("kind"),
    text("name"),
    text("state"),
    text("alg"),
    octets("certificate"),
    text("parent"),
    text("key_store"),
    octets("wrapped_private_key"),
    whole("not_before"),
    whole("not_after"),
    whole("created_at"),
)

CERTIFICATES = table(
    "certificates",
    tenant(),
    text("serial", key=True),
    text("authority_id"),
    text("profile"),
    text("owner"),
    text("client_id"),
    text("identities"),
    text("thumbprint"),
    text("key_thumbprint"),
    octets("certificate"),
    text("proof"),
    whole("not_before"),
    whole("not_after"),
    whole("issued_at"),
    whole("expires_at"),
    whole("revoked_at", optional=True),
    text("reason"),
    whole("last_seen_at", optional=True),
    Index("certificates_by_thumbprint", "tenant", "thumbprint", unique=True),
    Index("certificates_by_key", "tenant", "key_thumbprint"),
    Index("certificates_by_proof", "tenant", "proof"),
    Index("certificates_by_client", "tenant", "client_id"),
    Index("certificates_by_issue", "tenant", "issued_at"),
    Index("certificates_by_revocation", "tenant", "authority_id", "revoked_at"),
    Index("certificates_by_end", "expires_at", "tenant", "serial"),
)

REVOCATION_LISTS = table(
    "revocation_lists",
    tenant(),
    text("authority_id", key=True),
    whole("number"),
    octets("crl"),
    whole("this_update"),
    whole("next_update"),
)
