"""The operator's side of ``ostiary token``: the tokens of a client, and the end of one by its ``jti``."""

from __future__ import annotations

from ostiary.admin.commands import TokenEnd
from ostiary.cli.operator import Where
from ostiary.cli.output import Format, next_step, note, show
from ostiary.cli.typed import one_sentence, with_dates

_COLUMNS = ("jti", "audience", "scope", "format", "issued_at", "expires_at", "ended_by")


def list_tokens(where: Where, client_id: str, *, after: str, limit: int) -> None:
    """Print the tokens of a client that have not expired, the oldest first."""
    rows = where.run(lambda administration: administration.tokens(client_id, after=after, limit=limit))
    show(rows if where.output is Format.JSON else [with_dates(row) for row in rows], where.output, columns=_COLUMNS)
    if len(rows) == limit:
        note(f"There may be more: add --after {rows[-1]['jti']}")
    next_step(
        f"ostiary token revoke --jti JTI ends one of them; ostiary client disable {client_id} ends all"
        if rows
        else f"ostiary client show {client_id}: may it have tokens?"
    )


def revoke_token(where: Where, jti: str) -> None:
    """End one token, whosever it is."""
    with one_sentence():
        command = TokenEnd(jti=jti)
    row = where.run(lambda administration: administration.revoke_token(command.jti))
    show(row if where.output is Format.JSON else with_dates(row), where.output)
    if not row["ended_now"]:
        note("It had ended before; nothing was changed.")
    next_step(
        f"the client can get another: ostiary client keys list {row['client_id']}, or ostiary client disable"
        f" {row['client_id']}; `ostiary revoke --token {row['jti']}` shows which APIs know that this one has ended"
    )
