"""Access tokens as the operator sees them: those of a client, each ended by its ``jti`` if it must be."""

from __future__ import annotations

from ostiary import revocation
from ostiary.admin.answers import EndedTokenAnswer, TokenAnswer
from ostiary.admin.existing import NotThere, existing_client
from ostiary.model.token import AccessToken
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork


async def tokens_of_client(
    storage: Storage, client_id: str, *, now: int, after: str = "", limit: int = 100
) -> list[TokenAnswer]:
    """The tokens that have not expired, the oldest first, from the first ``jti`` above ``after``.

    Raises ConfigurationError for an unknown client.
    """
    async with storage.read() as work:
        await existing_client(work, client_id)
        found = await work.tokens.of_client(client_id, now=now, after=after, limit=limit)
        return [await _answer(work, token) for token in found]


async def revoke_token(storage: Storage, jti: str, act: Act) -> EndedTokenAnswer:
    """End one token; ``ended_now`` is false if it had ended before. Raises ConfigurationError if it is not known."""
    async with storage.write() as work:
        token = await work.tokens.by_jti(jti)
        if token is None:
            raise NotThere(f"there is no token {jti!r}: it ended long ago, or see `ostiary token list --client ID`")
        ended_now = bool(await revocation.revoke_token(work, token, act))
        answer = await _answer(work, token)
        return EndedTokenAnswer(**answer.model_dump(), ended_now=ended_now)


async def _answer(work: UnitOfWork, token: AccessToken) -> TokenAnswer:
    ending = await work.revocations.ends(token)
    return TokenAnswer.model_validate(token).model_copy(update={"ended_by": ending.kind if ending else None})
