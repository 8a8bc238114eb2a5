"""Signs in by a code from a list that was shown once, in place of the second factor; ``otp`` (RFC 8176 section 2).

RFC 8176 has no value of its own for it; a recovery code is a one-time password. A code has 80 random bits, so its
SHA-256 is safe at rest (ASVS 6.5.2), and nobody needs to be stopped from guessing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from ostiary.audit import tags
from ostiary.errors import VerificationError
from ostiary.model.factor import Factor
from ostiary.revocation.act import Act
from ostiary.shared_signals import acts
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.accounts import held_user, new_factor
from ostiary.user_authentication.attempt import Attempt, Method, Proved
from ostiary.user_authentication.totp import CODE

AMR = ("otp",)
COUNT: Final = 10
_LENGTH = 16
_GROUP = 4
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_MISREAD = str.maketrans("oil", "011")


async def prove(attempt: Attempt) -> Proved:
    """Raises VerificationError: it is none of the user's codes, or it was used."""
    digest = _digest(attempt.form.get("recovery_code", ""))
    found = None
    for factor in attempt.of_kind("recovery_code"):
        if hmac.compare_digest(factor.secret, digest):
            found = factor
    if attempt.user is None or found is None:
        raise _wrong("another code")
    return Proved(attempt.user.user_id, AMR, _Use(found, attempt))


def new_codes() -> list[str]:
    """Codes to be shown once, and to be kept by ``replace_codes``."""
    return [_new_code() for _ in range(COUNT)]


async def replace_codes(work: UnitOfWork, user_id: str, codes: Sequence[str], act: Act) -> None:
    """Keep ``codes`` instead of those that are left. Raises ConfigurationError: no such user."""
    await held_user(work, user_id)
    for factor in await work.factors.of_user(user_id):
        if factor.kind == "recovery_code":
            await work.factors.remove(factor.factor_id)
    for code in codes:
        await work.factors.add(new_factor(user_id, "recovery_code", "", _digest(code), act.now))
    signal = acts.credential_changed(user_id, "recovery_code", "create")
    await acts.tell(work, signal, actor=act.actor, now=act.now)
    await work.audit.append(act.event(tags.FACTOR_ADDED, user_id, kind="recovery_code", count=str(len(codes))))


class _Use:
    """A code is used by being removed: of two that try, one finds it there."""

    def __init__(self, factor: Factor, attempt: Attempt) -> None:
        self._factor = factor
        self._act = Act(f"user:{factor.user_id}", attempt.place.now, "used")

    async def __call__(self, work: UnitOfWork) -> None:
        if not await work.factors.remove(self._factor.factor_id):
            raise _wrong("a code that was used before")
        details = {"kind": "recovery_code", "factor_id": self._factor.factor_id}
        await work.audit.append(self._act.event(tags.FACTOR_REMOVED, self._factor.user_id, **details))


def _new_code() -> str:
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(code[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def _digest(typed: str) -> bytes:
    """As text in hexadecimal. Hyphens, spaces, letter case and letters that look like digits do not count."""
    code = "".join(character for character in typed.casefold() if character.isalnum()).translate(_MISREAD)
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest().encode("ascii")


def _wrong(seen: str) -> VerificationError:
    return VerificationError(CODE, "the code is wrong or was used before", seen=seen)


METHOD = Method("recovery_code", "recovery_code", first=False, second=True, prove=prove, counted=False)
