"""The table of the Token Status Lists, and the indexes by which tokens with a place in one are found.

The indexes hold such tokens alone, so that no other token pays for them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Index, Table

from ostiary.storage.columns import octets, table, tenant, text, whole

STATUS_LISTS = table(
    "status_lists",
    tenant(),
    text("list_id", key=True),
    text("kid"),
    whole("version"),
    whole("position"),
    whole("opened_at"),
    whole("renew_at"),
    whole("expires_at"),
    octets("given"),
    whole("given_count"),
    octets("statuses"),
    octets("token"),
    whole("created_at"),
    Index("status_lists_by_end", "expires_at", "tenant", "list_id"),
)

REVOCABLE_BY: Final = ("subject", "grant_id", "session_id", "key_thumbprint", "certificate_thumbprint")
"""What a token hangs on, and by which only those with a place in a list have to be found."""


def index_places(tokens: Table) -> None:
    """Index the access tokens that have a place in a list: each place once, and by what they hang on."""
    placed = tokens.c.status_list.is_not(None)
    Index(
        "access_tokens_by_place",
        tokens.c.tenant,
        tokens.c.status_list,
        tokens.c.status_index,
        unique=True,
        sqlite_where=placed,
        postgresql_where=placed,
    )
    for name in REVOCABLE_BY:
        column = tokens.c[name]
        filled = placed & (column != "")
        Index(
            f"access_tokens_placed_by_{name}",
            tokens.c.tenant,
            column,
            tokens.c.jti,
            sqlite_where=filled,
            postgresql_where=filled,
        )
