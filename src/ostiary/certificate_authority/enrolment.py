"""Tokens for enrolment: whoever has one gets one certificate, once, with what was granted when it was made."""

from __future__ import annotations

from typing import Final

from ostiary.certificate_authority.entitlement import Entitlement
from ostiary.certificate_authority.refusal import refused
from ostiary.errors import VerificationError
from ostiary.model.artifact import OneTimeArtifact
from ostiary.protocol import token_format
from ostiary.storage.base import UnitOfWork

KIND: Final = "enrolment"


async def new_enrolment(work: UnitOfWork, granted: Entitlement, *, now: int, until: int) -> str:
    """A new token; only its digest is kept. now, until: seconds since the epoch."""
    token = token_format.generate(token_format.ENROLMENT, await work.setting("installation_id") or "")
    await work.artifacts.add(OneTimeArtifact(KIND, token_format.digest(token), granted.to_json(), now, until))
    return token


async def look(work: UnitOfWork, token: str, now: int) -> Entitlement:
    """What the token grants, without using it up. Raises VerificationError (check "enrolment_token")."""
    found = await work.artifacts.get(KIND, _digest(token))
    if found is None or found.consumed_at is not None or found.expires_at <= now:
        raise _bad()
    return Entitlement.from_json(found.payload)


async def use(work: UnitOfWork, token: str, now: int) -> None:
    """Use it up: of several at once, one does. Raises VerificationError (check "enrolment_token")."""
    if await work.artifacts.consume(KIND, _digest(token), now=now) is None:
        raise _bad()


def _digest(token: str) -> bytes:
    try:
        known = token_format.parse(token).kind == token_format.ENROLMENT
    except VerificationError:
        known = False
    if not known:
        raise _bad()
    return token_format.digest(token)


def _bad() -> VerificationError:
    return refused(
        "enrolment_token",
        "the enrolment token is not good",
        seen="unknown, used or expired",
        expected="a token that was not used yet",
        mend="let the operator make a new one: ostiary cert enrol",
    )
