"""The operator's commands about users on this machine's database, beside a running server or before its first start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ostiary.admin import user_endings, user_import
from ostiary.admin.answers import Answer, plain
from ostiary.admin.user_answers import (
    ConsentAnswer,
    ConsentEnd,
    FactorAnswer,
    GrantAnswer,
    ImportedAnswer,
    SessionAnswer,
    UserAnswer,
)
from ostiary.admin.user_commands import NewPassword, NewUser, UserChanges, UserImport
from ostiary.admin.users import UserService, user_called
from ostiary.authorization_server.password_hashing import PasswordHashing
from ostiary.cli.local import Local
from ostiary.cli.user_administration import Row
from ostiary.revocation.act import Act
from ostiary.user_authentication.accounts import existing_user

_PAGE = 500


class LocalUserAdministration:
    """The services of ``admin`` on an open database; what they commit binds the next request of every process."""

    def __init__(self, local: Local, act: Callable[[], Act]) -> None:
        self._local = local
        self._storage = local.storage
        self._act = act

    async def all(self, email: str = "") -> list[Row]:
        async with self._storage.read() as work:
            if email:
                return _rows(UserAnswer, await work.users.by_email(email))
            found: list[Row] = []
            after = ""
            while page := await work.users.list(after=after, limit=_PAGE):
                found += _rows(UserAnswer, page)
                after = page[-1].user_id
            return found

    async def show(self, user: str) -> Row:
        async with self._storage.read() as work:
            return _row(UserAnswer, await user_called(work, user))

    async def create(self, command: NewUser) -> Row:
        with self._service() as service:
            return _row(UserAnswer, await service.create(command, self._act()))

    async def change(self, user_id: str, changes: UserChanges) -> Row:
        with self._service() as service:
            return _row(UserAnswer, await service.change(user_id, changes, self._act()))

    async def set_password(self, user_id: str, command: NewPassword) -> Row:
        with self._service() as service:
            return _row(UserAnswer, await service.set_password(user_id, command, self._act()))

    async def disable(self, user_id: str) -> Row:
        return _row(UserAnswer, await user_endings.disable_user(self._storage, user_id, self._act()))

    async def enable(self, user_id: str) -> Row:
        with self._service() as service:
            return _row(UserAnswer, await service.enable(user_id, self._act()))

    async def import_batch(self, command: UserImport) -> list[Row]:
        return _rows(ImportedAnswer, await user_import.import_users(self._storage, command, self._act()))

    async def factors(self, user_id: str) -> list[Row]:
        async with self._storage.read() as work:
            await existing_user(work, user_id)
            return _rows(FactorAnswer, await work.factors.of_user(user_id))

    async def remove_factor(self, user_id: str, factor_id: str, *, end_sessions: bool) -> Row:
        removed = await user_endings.remove_factor(
            self._storage, user_id, factor_id, self._act(), end_sessions=end_sessions
        )
        return _row(FactorAnswer, removed)

    async def sessions(self, user_id: str) -> list[Row]:
        async with self._storage.read() as work:
            await existing_user(work, user_id)
            found = await work.sessions.of_user(user_id)
        return _rows(SessionAnswer, [one for one in found if one.stands(self._local.clock())])

    async def end_session(self, session_id: str) -> Row:
        return _row(SessionAnswer, await user_endings.end_session(self._storage, session_id, self._act()))

    async def end_sessions(self, user_id: str) -> list[Row]:
        return _rows(SessionAnswer, await user_endings.end_sessions(self._storage, user_id, self._act()))

    async def consents(self, user_id: str) -> list[Row]:
        async with self._storage.read() as work:
            await existing_user(work, user_id)
            return _rows(ConsentAnswer, await work.consents.of_user(user_id))

    async def revoke_consent(self, user_id: str, client_id: str) -> Row:
        ended = await user_endings.revoke_consent(self._storage, user_id, client_id, self._act())
        return plain(ConsentEnd(user_id=user_id, client_id=client_id, ended=ended))

    async def grants(self, user_id: str) -> list[Row]:
        async with self._storage.read() as work:
            await existing_user(work, user_id)
            found: list[Row] = []
            after = ""
            while page := await work.grants.of_user(user_id, after=after, limit=_PAGE):
                found += _rows(GrantAnswer, page)
                after = page[-1].grant_id
            return found

    async def revoke_grant(self, grant_id: str) -> Row:
        return _row(GrantAnswer, await user_endings.revoke_grant(self._storage, grant_id, self._act()))

    @contextmanager
    def _service(self) -> Iterator[UserService]:
        passwords = PasswordHashing()
        try:
            yield UserService(self._storage, passwords, self._local.settings.sign_in)
        finally:
            passwords.close()


def _row(kind: type[Answer], record: object) -> Row:
    return plain(kind.model_validate(record))


def _rows(kind: type[Answer], records: Sequence[object]) -> list[Row]:
    return [_row(kind, record) for record in records]
