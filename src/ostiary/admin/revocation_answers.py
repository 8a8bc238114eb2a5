"""What an operator is told of a revocation: what ended, and which APIs know of it."""

from __future__ import annotations

from ostiary.admin.answers import Answer
from ostiary.admin.revocation_commands import Kind
from ostiary.model.api import ApiState, TokenFormat


class EndedAnswer(Answer):
    """How many of each kind ended; ``tokens``: those named one by one, all others end by a row of the log."""

    clients: int
    users: int
    sessions: int
    consents: int
    grants: int
    keys: int
    certificates: int
    tokens: int


class RevocationAnswer(Answer):
    """What ended, under the name that it has here.

    ended_now: false if it had ended before. position: whoever has applied the revocation log up to there knows of it.
    live_tokens: how many access tokens that have not expired it ended, 1000 for so many and more; null where counting
    them would take a walk through all tokens.
    """

    kind: Kind
    name: str
    ended_now: bool
    ended: EndedAnswer
    live_tokens: int | None
    position: int


class ApiKnowledgeAnswer(Answer):
    """Up to where an API has applied the revocation log; see ``admin.feed_readers``.

    readers: its processes that follow the feed; applied: those of them that have applied the position asked for.
    """

    identifier: str
    state: ApiState
    token_format: TokenFormat
    head: int
    readers: int
    applied: int
    slowest: int | None
    behind: int | None
    seen: int | None
