"""Accounts: made and changed, their factors added and removed, each with its audit event in the same unit of work.

An account is disabled by ``revocation.revoke_user``, which ends whatever hangs on it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict, Unpack

from ostiary.audit import tags
from ostiary.authorization_server.password_hashing import PasswordHashing, check_importable
from ostiary.errors import ConfigurationError
from ostiary.model.client import USER_SUBJECT_PREFIX
from ostiary.model.factor import Factor, FactorKind
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.settings.sections import SignInSettings
from ostiary.shared_signals import acts
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.user_authentication import names, standard_claims
from ostiary.user_authentication.password_rules import check_new_password


class NoSuchUser(ConfigurationError):
    """Nobody is called that."""


class UserChanges(TypedDict, total=False):
    """What can be changed of a user; what is not named stays."""

    username: str
    email: str
    email_verified: bool
    claims: dict[str, object]


async def create_user(
    work: UnitOfWork,
    *,
    username: str,
    email: str = "",
    claims: Mapping[str, object] | None = None,
    email_verified: bool = False,
    act: Act,
) -> User:
    """Make a user, without a factor as yet. Raises ConfigurationError: the name is taken, or something is malformed."""
    now = int(act.now)
    user = _checked(
        User(
            user_id=USER_SUBJECT_PREFIX + secrets.token_hex(12),
            username=username,
            username_key="",
            state="active",
            email=email,
            email_verified=email_verified,
            claims=dict(claims or {}),
            created_at=now,
            updated_at=now,
        )
    )
    await work.users.add(user)
    await work.audit.append(_about(act, user).event(tags.USER_CREATED, user.user_id))
    return user


async def change_user(work: UnitOfWork, user_id: str, act: Act, **changes: Unpack[UserChanges]) -> User:
    """Change what is named. Another e-mail address counts as not verified unless that is said at the same time.

    Raises ConfigurationError: there is no such user, the name is taken, or something has no good form.
    """
    user = await held_user(work, user_id)
    changed = _checked(replace(user, **changes))
    if "email_verified" not in changes and changed.email != user.email:
        changed = replace(changed, email_verified=False)
    named = [name for name in (*UserChanges.__annotations__,) if getattr(changed, name) != getattr(user, name)]
    if not named:
        return user
    changed = replace(changed, updated_at=int(act.now))
    await work.users.replace(changed)
    await work.audit.append(_about(act, changed).event(tags.USER_UPDATED, user_id, changed=" ".join(named)))
    return changed


async def enable_user(work: UnitOfWork, user_id: str, act: Act) -> User:
    """Let a disabled user in again; what was ended stays ended. Raises ConfigurationError."""
    user = await held_user(work, user_id)
    if user.state == "active":
        return user
    enabled = replace(user, state="active", updated_at=int(act.now))
    await work.users.replace(enabled)
    await acts.tell(work, acts.account_enabled(user_id), actor=act.actor, now=act.now)
    await work.audit.append(act.event(tags.USER_ENABLED, user_id))
    return enabled


async def set_password(
    passwords: PasswordHashing, storage: Storage, settings: SignInSettings, user_id: str, password: str, act: Act
) -> Factor:
    """Give the user a new password instead of the one they have, if they have one.

    Raises ConfigurationError: there is no such user, or the password is too weak (the sentence says why; see
    ``password_rules``); Unavailable: too much is being hashed.
    """
    async with storage.read() as work:
        user = await existing_user(work, user_id)
    check_new_password(settings, password, user)
    with passwords.slot() as slot:
        encoded = await slot.hash(password)
    async with storage.write() as work:
        return await _put_password(work, user_id, encoded, act)


async def set_password_hash(work: UnitOfWork, user_id: str, encoded: str, act: Act) -> Factor:
    """Give the user the password whose hash was made elsewhere; it is hashed anew when they sign in.

    Raises ConfigurationError: there is no such user, or it is no hash that ``password_hashing`` takes.
    """
    check_importable(encoded)
    return await _put_password(work, user_id, encoded, act)


async def add_factor(work: UnitOfWork, factor: Factor, act: Act) -> Factor:
    """Register a factor of a user. Raises ConfigurationError: no such user, or it is registered already."""
    await held_user(work, factor.user_id)
    await work.factors.add(factor)
    await _tell(work, factor, "create", act)
    await work.audit.append(_of(act, factor).event(tags.FACTOR_ADDED, factor.user_id, **_named(factor)))
    return factor


async def remove_factor(work: UnitOfWork, user_id: str, factor_id: str, act: Act) -> bool:
    """Whether the user had this factor until now. Raises ConfigurationError if there is no such user."""
    await held_user(work, user_id)
    factor = await work.factors.get(factor_id)
    if factor is None or factor.user_id != user_id or not await work.factors.remove(factor_id):
        return False
    await _tell(work, factor, "delete", act)
    await work.audit.append(_of(act, factor).event(tags.FACTOR_REMOVED, user_id, **_named(factor)))
    return True


async def existing_user(work: UnitOfWork, user_id: str) -> User:
    """The user. Raises NoSuchUser."""
    return _existing(await work.users.get(user_id), user_id)


async def held_user(work: UnitOfWork, user_id: str) -> User:
    """The user, for this unit of work alone (``Users.hold``). Raises NoSuchUser."""
    return _existing(await work.users.hold(user_id), user_id)


def _existing(user: User | None, user_id: str) -> User:
    if user is None:
        raise NoSuchUser(f"there is no user {user_id!r}: see `ostiary user list`")
    return user


async def user_called(work: UnitOfWork, typed: str) -> User | None:
    """The user of this user name, else of this e-mail address if it is verified and of one user only.

    Both are always looked up, so that the statements do not tell which of them exists.
    """
    by_name = await work.users.by_name(names.username_key(typed))
    by_email = [user for user in await work.users.by_email(typed.strip()) if user.email_verified]
    if by_name is not None:
        return by_name
    return by_email[0] if len(by_email) == 1 else None


def new_factor(user_id: str, kind: FactorKind, name: str, secret: bytes, now: float, *, factor_id: str = "") -> Factor:
    """A factor that is not registered yet. factor_id: made by ``new_factor_id``, where it was wanted before."""
    return Factor(factor_id or new_factor_id(), user_id, kind, name, secret, created_at=int(now))


def new_factor_id() -> str:
    """A new identifier of a factor, 96 random bits."""
    return "fac_" + secrets.token_hex(12)


async def _put_password(work: UnitOfWork, user_id: str, encoded: str, act: Act) -> Factor:
    await held_user(work, user_id)
    present = await work.factors.by_lookup("password", user_id)
    if present is None:
        # Found by its user, of whom there is one: so two requests at once cannot make two passwords.
        made = replace(new_factor(user_id, "password", "", encoded.encode("ascii"), act.now), lookup=user_id)
        return await add_factor(work, made, act)
    changed = replace(present, secret=encoded.encode("ascii"))
    await work.factors.set_secret(changed.factor_id, changed.secret)
    await _tell(work, changed, "update", act)
    await work.audit.append(_of(act, changed).event(tags.FACTOR_CHANGED, user_id, **_named(changed)))
    return changed


def _checked(user: User) -> User:
    try:
        username = names.username(user.username)
    except ValueError as error:
        raise ConfigurationError(f"the user name {error}") from None
    try:
        email = names.email(user.email)
    except ValueError as error:
        raise ConfigurationError(f"the e-mail address {error}") from None
    try:
        claims = standard_claims.checked(user.claims)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return replace(
        user,
        username=username,
        username_key=names.username_key(username),
        email=email,
        email_verified=user.email_verified and bool(email),
        claims=claims,
    )


def _about(act: Act, user: User) -> Act:
    """The same act, with the person's name among what can be erased."""
    return replace(act, personal={**act.personal, "username": user.username})


async def _tell(work: UnitOfWork, factor: Factor, change: str, act: Act) -> None:
    signal = acts.credential_changed(factor.user_id, factor.kind, change)
    await acts.tell(work, signal, actor=act.actor, now=act.now)


def _of(act: Act, factor: Factor) -> Act:
    return replace(act, personal={**act.personal, "factor_name": factor.name}) if factor.name else act


def _named(factor: Factor) -> dict[str, str]:
    return {"factor_id": factor.factor_id, "kind": factor.kind}
