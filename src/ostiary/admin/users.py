"""Users: made, found, changed, enabled, given a password; each with its audit event in the same unit of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from ostiary.admin.user_commands import NewPassword, NewUser, UserChanges
from ostiary.authorization_server.password_hashing import PasswordHashing
from ostiary.model.client import USER_SUBJECT_PREFIX
from ostiary.model.user import User
from ostiary.revocation import end_sessions_of
from ostiary.revocation.act import Act
from ostiary.settings.sections import SignInSettings
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.user_authentication import accounts, names
from ostiary.user_authentication.accounts import existing_user
from ostiary.user_authentication.password_rules import check_new_password


@dataclass(frozen=True, slots=True)
class UserService:
    """What an operator can do to users. Every method raises ConfigurationError and Unavailable."""

    storage: Storage
    passwords: PasswordHashing
    sign_in: SignInSettings

    async def create(self, command: NewUser, act: Act) -> User:
        """Make a user, with a password if one is given, all or nothing."""
        facts = command.model_dump(exclude={"password"})
        encoded = None if command.password is None else await self._hashed(command.password, _foreseen(facts))
        async with self.storage.write() as work:
            user = await accounts.create_user(work, **facts, act=act)
            if encoded is not None:
                await accounts.set_password_hash(work, user.user_id, encoded, act)
            return user

    async def change(self, user_id: str, changes: UserChanges, act: Act) -> User:
        """Change what ``changes`` names."""
        named = cast(accounts.UserChanges, changes.model_dump(exclude_unset=True))
        async with self.storage.write() as work:
            return await accounts.change_user(work, user_id, act, **named)

    async def enable(self, user_id: str, act: Act) -> User:
        """Let a disabled user in again; what was ended stays ended."""
        async with self.storage.write() as work:
            return await accounts.enable_user(work, user_id, act)

    async def set_password(self, user_id: str, command: NewPassword, act: Act) -> User:
        """Give the user a new password, and end their sessions unless they are to be kept."""
        async with self.storage.read() as work:
            user = await existing_user(work, user_id)
        encoded = await self._hashed(command.password, user)
        async with self.storage.write() as work:
            await accounts.set_password_hash(work, user_id, encoded, act)
            if not command.keep_sessions:
                # ASVS 7.4.3: the option to end all other sessions after a change of a factor.
                await end_sessions_of(work, user_id, act)
            return await existing_user(work, user_id)

    async def _hashed(self, password: str, user: User) -> str:
        check_new_password(self.sign_in, password, user)
        with self.passwords.slot() as slot:
            return await slot.hash(password)


def _foreseen(facts: dict[str, Any]) -> User:
    """The user as they will be, because a password must not be made of their own names."""
    return User(user_id="", username_key="", state="active", **facts)


async def user_called(work: UnitOfWork, text: str) -> User:
    """The user with this id or this user name. Raises NoSuchUser."""
    user = await work.users.get(text) if text.startswith(USER_SUBJECT_PREFIX) else None
    return user or await work.users.by_name(names.username_key(text)) or await existing_user(work, text)
