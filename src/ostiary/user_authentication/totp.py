"""Signs in by a time-based one-time password, RFC 6238, as a second factor; ``otp`` (RFC 8176 section 2).

The seed is sealed; the last used step is kept with the factor, so that a code is used once: "The verifier MUST NOT
accept the second attempt of the OTP after the successful validation has been issued for the first OTP" RFC 6238 5.2.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec
import pyotp

from ostiary.errors import VerificationError
from ostiary.model.factor import Factor
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import names
from ostiary.user_authentication.accounts import add_factor, new_factor, new_factor_id
from ostiary.user_authentication.attempt import Attempt, Confirm, Method, Proved
from ostiary.user_authentication.second_factor import must_be_set_up

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

AMR = ("otp",)
CODE: Final = "code"
"""The name of the check that a wrong or used code fails."""

STEP: Final = 30
"""Seconds, RFC 6238 section 5.2."""

TOLERANCE: Final = 1
"""Steps by which the clocks of server and phone may differ, either way."""

ENROLMENT_LIFE: Final = 900
_SEED_BYTES = 20
_SEAL = "totp"
_ENROLMENT_SEAL = "totp-enrolment"
_DIGITS = re.compile(r"[0-9]{6}")


async def prove(attempt: Attempt) -> Proved:
    """Raises VerificationError: no code of the user's now, or a used one; TooManyTries."""
    await attempt.count()
    if attempt.user is None:
        raise _wrong("a code for nobody")
    server, now = attempt.place.server, attempt.place.now
    for factor in attempt.of_kind("totp"):
        step = _step_of(_seed(server, factor), attempt.form.get("code", ""), now, above=factor.counter)
        if step is not None:
            return Proved(attempt.user.user_id, AMR, _used(factor, step, int(now)))
    raise _wrong("another code")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a user needs to set up codes.

    key: the seed in base32, as one types it into a phone; uri: the same as ``otpauth:``, for a picture of it. sealed:
    goes through the form and back to ``enrolled``; nothing is stored for somebody who does not finish.
    """

    key: str
    uri: str
    sealed: str

    @property
    def picture(self) -> str:
        """The uri as a QR code: a ``data:`` URI of an SVG, black on white, with the quiet zone that scanners need."""
        import segno  # late: a server that draws none need not hold it

        return segno.make(self.uri, error="m", micro=False).svg_data_uri(scale=4, border=4, dark="#000", light="#fff")


class _Pending(msgspec.Struct, frozen=True):
    factor_id: str
    seed: bytes
    begun_at: int


def begin_enrolment(server: AuthorizationServer, user: User, now: float, *, again: str = "") -> Enrolment:
    """A seed for the user. again: what was sealed before, to show the same one after a wrong code while it is good."""
    pending = _Pending(new_factor_id(), _new_seed(), int(now))
    if again:
        with suppress(VerificationError):
            pending = _pending(server, user, again, now)
    return _enrolment(server, user, pending)


def enrolled(server: AuthorizationServer, user: User, sealed: str, code: str, now: float, name: str = "") -> Factor:
    """The factor to be added, if ``code`` shows that the user's phone has the seed. Raises VerificationError.

    name: what the user calls it, as it was typed.
    """
    pending = _pending(server, user, sealed, now)
    step = _step_of(pending.seed, code, now, above=0)
    if step is None:
        raise _wrong("another code")
    secret = server.seals.seal(_SEAL, pending.seed, context=pending.factor_id.encode("ascii"))
    made = new_factor(user.user_id, "totp", names.shown(name), secret, now, factor_id=pending.factor_id)
    return replace(made, counter=step, last_used_at=int(now))


def adding(factor: Factor, act: Act) -> Confirm:
    """Adds a factor in the transaction of a sign-in that is completed by it."""

    async def confirm(work: UnitOfWork) -> None:
        present = await work.factors.of_user(factor.user_id)
        if not must_be_set_up(present):
            raise _wrong("a second factor that was added meanwhile")
        await add_factor(work, factor, act)

    return confirm


def _used(factor: Factor, step: int, now: int) -> Confirm:
    async def confirm(work: UnitOfWork) -> None:
        if not await work.factors.advance(factor.factor_id, to=step, at=now):
            raise _wrong("a code that was used before")

    return confirm


def _step_of(seed: bytes, typed: str, now: float, *, above: int) -> int | None:
    code = "".join(typed.split())
    if not _DIGITS.fullmatch(code):
        return None
    totp = pyotp.TOTP(base64.b32encode(seed).decode("ascii"), interval=STEP)
    found = None
    # Every step is compared, whichever fits.
    for step in _steps(now):
        if hmac.compare_digest(totp.generate_otp(step), code) and step > above:
            found = step
    return found


def _steps(now: float) -> Iterator[int]:
    middle = int(now) // STEP
    yield from range(middle - TOLERANCE, middle + TOLERANCE + 1)


def _enrolment(server: AuthorizationServer, user: User, pending: _Pending) -> Enrolment:
    key = base64.b32encode(pending.seed).decode("ascii")
    uri = pyotp.TOTP(key).provisioning_uri(name=user.username, issuer_name=server.settings.sign_in.application_name)
    sealed = server.seals.seal_text(_ENROLMENT_SEAL, msgspec.json.encode(pending), context=user.user_id.encode())
    return Enrolment(key, uri, sealed)


def _pending(server: AuthorizationServer, user: User, sealed: str, now: float) -> _Pending:
    plain = server.seals.open_text(_ENROLMENT_SEAL, sealed, context=user.user_id.encode())
    pending = msgspec.json.decode(plain, type=_Pending)
    if now > pending.begun_at + ENROLMENT_LIFE:
        raise VerificationError("enrolment", "this page has expired", mend="open the page again")
    return pending


def _seed(server: AuthorizationServer, factor: Factor) -> bytes:
    return server.seals.open(_SEAL, factor.secret, context=factor.factor_id.encode("ascii"))


def _new_seed() -> bytes:
    return base64.b32decode(pyotp.random_base32(_SEED_BYTES * 8 // 5))


def _wrong(seen: str) -> VerificationError:
    return VerificationError(CODE, "the code is wrong or was used before", seen=seen)


METHOD = Method("totp", "code", first=False, second=True, prove=prove)
