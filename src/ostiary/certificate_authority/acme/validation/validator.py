"""Validates the challenges whose clients are ready: round by round, each by one process, over any restart.

A challenge that is being validated stands in its row as "processing" with the time of its next try. Whoever takes it
moves that time and the count of tries in one atomic step, so that two processes never try at once; if it dies, the
next round after that time takes the challenge again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from ostiary.audit import tags
from ostiary.certificate_authority.acme.ordering import after_proof, authorization_state, problem_text
from ostiary.certificate_authority.acme.validation import dns_01, http_01, tls_alpn_01
from ostiary.certificate_authority.acme.validation.failure import ChallengeFailed
from ostiary.certificate_authority.acme.validation.reach import Reach
from ostiary.model.acme import AcmeAccount, AcmeChallenge, AuthorizationState, ChallengeKind
from ostiary.model.event import AuditEvent
from ostiary.settings.acme import AcmeSettings
from ostiary.storage.base import Storage, UnitOfWork

_log = logging.getLogger(__name__)

DELAYS: Final = (5, 15)
"""Seconds after the first try, the second, ...: so many more are made before the challenge fails."""
AT_ONCE: Final = 16
_MARGIN = 5  # seconds a try may take beyond its timeout before another process takes it for dead

Validate = Callable[[Reach, str, str, str], Awaitable[None]]
METHODS: Final[dict[ChallengeKind, Validate]] = {
    "http-01": http_01.validate,
    "dns-01": dns_01.validate,
    "tls-alpn-01": tls_alpn_01.validate,
}


@dataclass(frozen=True, slots=True)
class Validator:
    """clock: seconds since the epoch."""

    storage: Storage
    settings: AcmeSettings
    clock: Callable[[], float]

    async def round(self) -> int:
        """Try what is due; how many challenges were tried. Raises Unavailable."""
        if not self.settings.enabled:
            return 0
        async with self.storage.read() as work:
            due = await work.acme_orders.due(int(self.clock()), limit=AT_ONCE)
        if not due:
            return 0
        return sum(await asyncio.gather(*map(self._try, due)))

    async def _try(self, seen: AcmeChallenge) -> bool:
        async with self.storage.write() as work:
            begun = await self._taken(work, seen)
        if begun is None:
            return False
        challenge, account, identifier = begun
        failure: ChallengeFailed | None = None
        try:
            # keyAuthorization = token || '.' || base64url(Thumbprint(accountKey)), RFC 8555 section 8.1
            await self._validated(challenge, identifier, f"{challenge.token}.{account.thumbprint}")
        except ChallengeFailed as error:
            failure = error
        except Exception:
            # What somebody else's server made of us must not stop the validation of others.
            _log.exception("the validation of the challenge %s failed", challenge.challenge_id)
            failure = ChallengeFailed("serverInternal", "the validation failed by a fault of this server")
        async with self.storage.write() as work:
            await self._written(work, challenge, failure)
        return True

    async def _validated(self, challenge: AcmeChallenge, identifier: str, key_authorization: str) -> None:
        try:
            async with asyncio.timeout(self.settings.validation_timeout):
                await METHODS[challenge.kind](Reach.of(self.settings), identifier, challenge.token, key_authorization)
        except TimeoutError:
            seconds = self.settings.validation_timeout
            raise ChallengeFailed("connection", f"no whole answer within {seconds:g} s") from None

    async def _taken(self, work: UnitOfWork, seen: AcmeChallenge) -> tuple[AcmeChallenge, AcmeAccount, str] | None:
        """The challenge with this try counted, if it is still to be tried and nobody else has taken it."""
        now = self.clock()
        lease = int(now + self.settings.validation_timeout) + _MARGIN
        taken = replace(seen, attempts=seen.attempts + 1, due_at=lease)
        if not await work.acme_orders.move_challenge(taken, was="processing", attempts=seen.attempts):
            return None
        account = await work.acme_accounts.get(seen.account_id)
        authorization = await work.acme_orders.authorization(seen.authorization_id)
        going = authorization is not None and authorization_state(authorization, now) == "pending"
        if account is None or authorization is None or account.state != "valid" or not going:
            # For good: as "processing" it would come up again and again until its row ends.
            await work.acme_orders.move_challenge(
                replace(taken, state="invalid"), was="processing", attempts=taken.attempts
            )
            return None
        return taken, account, authorization.identifier

    async def _written(self, work: UnitOfWork, tried: AcmeChallenge, failure: ChallengeFailed | None) -> None:
        """What came of the try, for the challenge, its authorization and its order, all in one."""
        now, orders = self.clock(), work.acme_orders
        authorization = await orders.authorization(tried.authorization_id)
        order = None if authorization is None else await orders.get(authorization.order_id)
        if authorization is None or order is None:
            return
        # The order is held first: of two challenges that end at once, the later one sees what the other wrote.
        held = await orders.move(order, was="pending")
        after = _after(tried, failure, int(now))
        if not await orders.move_challenge(after, was="processing", attempts=tried.attempts):
            return  # another process took it, after our time was up
        if after.state == "processing":
            return
        await work.audit.append(_event(after, authorization.identifier, failure, now))
        if authorization_state(authorization, now) != "pending":
            return
        state: AuthorizationState = "valid" if after.state == "valid" else "invalid"
        await orders.move_authorization(replace(authorization, state=state), was="pending")
        if not held:
            return
        changed = after_proof(order, await orders.authorizations(order.order_id))
        if after.error:
            changed = replace(changed, error=after.error)
        await orders.move(changed, was="pending")


def _after(tried: AcmeChallenge, failure: ChallengeFailed | None, now: int) -> AcmeChallenge:
    """The challenge after a try: valid, to be tried again, or invalid."""
    if failure is None:
        return replace(tried, state="valid", validated_at=now, error="")
    error = problem_text(failure.code, failure.detail, 400 if failure.code != "unauthorized" else 403)
    if failure.again and tried.attempts <= len(DELAYS):
        return replace(tried, due_at=now + DELAYS[tried.attempts - 1], error=error)
    return replace(tried, state="invalid", error=error)


def _event(challenge: AcmeChallenge, identifier: str, failure: ChallengeFailed | None, now: float) -> AuditEvent:
    passed = failure is None
    return AuditEvent(
        tags.ACME_CHALLENGE_PASSED if passed else tags.ACME_CHALLENGE_FAILED,
        "done" if passed else "refused",
        int(now * 1000),
        actor=f"acme:{challenge.account_id}",
        target=challenge.challenge_id,
        reason="" if failure is None else failure.code,
        details={"kind": challenge.kind, "name": identifier, "attempts": str(challenge.attempts)}
        | ({} if failure is None else {"detail": failure.detail[:200]}),
    )
