"""Signs in by a password; ``pwd`` (RFC 8176 section 2)."""

from __future__ import annotations

from ostiary.authorization_server.password_hashing import PASSWORD
from ostiary.errors import VerificationError
from ostiary.model.factor import Factor
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.attempt import Attempt, Method, Proved
from ostiary.user_authentication.password_rules import MAX_OCTETS

AMR = ("pwd",)


async def prove(attempt: Attempt) -> Proved:
    """The same statements and one run of argon2id, whether the user is there or not.

    Raises VerificationError: it is not the user's password; TooManyTries; Unavailable: too many are being hashed.
    """
    password = attempt.form.get("password", "")
    factor = next(iter(attempt.of_kind("password")), None)
    encoded = factor.secret.decode("ascii") if factor is not None else None
    renewed: str | None = None
    attempt.refuse_if_full()
    # The place in the queue is taken before the try is counted: who is turned away at the queue has not tried.
    with attempt.place.server.passwords.slot() as slot:
        await attempt.count()
        await slot.verify(encoded, password if len(password) <= MAX_OCTETS else "")
        if encoded is not None and attempt.place.server.passwords.outdated(encoded):
            renewed = await slot.hash(password)
    if attempt.user is None or factor is None:
        raise _wrong("a password that was verified for nobody")
    return Proved(attempt.user.user_id, AMR, _Confirm(factor, renewed, int(attempt.place.now)))


class _Confirm:
    """The password is still the one that was verified; a hash of yesterday's cost gives way to the new one."""

    def __init__(self, factor: Factor, renewed: str | None, now: int) -> None:
        self._factor = factor
        self._renewed = renewed
        self._now = now

    async def __call__(self, work: UnitOfWork) -> None:
        present = await work.factors.get(self._factor.factor_id)
        if present is None or present.secret != self._factor.secret:
            raise _wrong("a password that was changed meanwhile")
        if self._renewed is not None:
            await work.factors.set_secret(present.factor_id, self._renewed.encode("ascii"))
        await work.factors.touch(present.factor_id, self._now)


def _wrong(seen: str) -> VerificationError:
    return VerificationError(PASSWORD, "the password is wrong", seen=seen)


METHOD = Method("password", "password", first=True, second=False, prove=prove)
