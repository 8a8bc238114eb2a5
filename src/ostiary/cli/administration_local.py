"""The operator's commands on this machine's database, beside a running server or before its first start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ostiary.admin import apis, client_keys, client_secrets, clients, endings, feed_readers, revocations, tokens
from ostiary.admin.answers import (
    Answer,
    ApiAnswer,
    ClientAnswer,
    ClientKeyAnswer,
    MadeClientAnswer,
    RotationAnswer,
    SigningKeyAnswer,
    plain,
)
from ostiary.admin.bootstrap import bootstrap
from ostiary.admin.commands import ApiChanges, ClientChanges, KeyEnd, NewApi, NewClient, NewKey, Rotation
from ostiary.admin.existing import existing_api, existing_client
from ostiary.admin.limits import Limits
from ostiary.admin.revocation_answers import ApiKnowledgeAnswer
from ostiary.admin.revocation_commands import NewRevocation
from ostiary.authorization_server import wanted_algorithms
from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.cli.administration import Row
from ostiary.cli.certificate_administration_local import LocalCertificateAdministration
from ostiary.cli.local import Local, local_settings, open_local
from ostiary.cli.signal_administration_local import LocalSignalAdministration
from ostiary.cli.user_administration_local import LocalUserAdministration
from ostiary.model.api import Api
from ostiary.protocol.jwk import VerificationKey
from ostiary.revocation.act import Act
from ostiary.revocation.installation import EpochEnded, raise_epoch
from ostiary.settings import Settings
from ostiary.storage.migrate import current, upgrade

ACTOR = "cli"
_PAGE = 500

T = TypeVar("T")
Page = Callable[[str], Awaitable[Sequence[T]]]


class LocalAdministration:
    """The services of ``admin`` on an open database; what they commit binds the next request of every process."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._storage = local.storage
        self._limits = Limits.of(local.settings)
        self.users = LocalUserAdministration(local, self._act)
        self.certificates = LocalCertificateAdministration(local, self._act)
        self.signals = LocalSignalAdministration(local, self._limits, self._act)

    @property
    def issuer(self) -> str:
        """From the settings."""
        return self._local.settings.issuer

    @property
    def settings(self) -> Settings:
        """Of this machine's installation."""
        return self._local.settings

    async def clients(self) -> list[Row]:
        async with self._storage.read() as work:
            found = await _all(lambda after: work.clients.list(after=after, limit=_PAGE), "client_id")
        return _rows(ClientAnswer, found)

    async def client(self, client_id: str) -> Row:
        async with self._storage.read() as work:
            return _row(ClientAnswer, await existing_client(work, client_id))

    async def create_client(self, command: NewClient) -> Row:
        made = await clients.create_client(self._storage, self._limits, command, self._act())
        await self._ensure_keys(wanted_algorithms.of_client(made.client))
        return plain(MadeClientAnswer.of(made.client, made.secret))

    async def renew_secret(self, client_id: str) -> Row:
        made = await client_secrets.renew_secret(self._storage, client_id, self._act())
        return plain(MadeClientAnswer.of(made.client, made.secret))

    async def change_client(self, client_id: str, changes: ClientChanges) -> Row:
        changed = await clients.change_client(self._storage, self._limits, client_id, changes, self._act())
        await self._ensure_keys(wanted_algorithms.of_client(changed))
        return _row(ClientAnswer, changed)

    async def disable_client(self, client_id: str) -> Row:
        return _row(ClientAnswer, await endings.disable_client(self._storage, client_id, self._act()))

    async def enable_client(self, client_id: str) -> Row:
        return _row(ClientAnswer, await clients.enable_client(self._storage, client_id, self._act()))

    async def client_keys(self, client_id: str) -> list[Row]:
        async with self._storage.read() as work:
            await existing_client(work, client_id)
            return _rows(ClientKeyAnswer, await work.client_keys.of_client(client_id))

    async def add_client_keys(self, client_id: str, command: NewKey) -> list[Row]:
        return _rows(ClientKeyAnswer, await client_keys.add_keys(self._storage, client_id, command, self._act()))

    async def end_client_key(self, client_id: str, command: KeyEnd) -> list[Row]:
        ended = await endings.end_client_key(self._storage, client_id, command.kid, command.state, self._act())
        return _rows(ClientKeyAnswer, ended)

    async def apis(self) -> list[Row]:
        async with self._storage.read() as work:
            found = await _all(lambda after: work.apis.list(after=after, limit=_PAGE), "identifier")
        return _rows(ApiAnswer, found)

    async def api(self, identifier: str) -> Row:
        async with self._storage.read() as work:
            return _row(ApiAnswer, await existing_api(work, identifier))

    async def create_api(self, command: NewApi) -> Row:
        return await self._ready(await apis.create_api(self._storage, self._limits, command, self._act()))

    async def change_api(self, identifier: str, changes: ApiChanges) -> Row:
        return await self._ready(await apis.change_api(self._storage, self._limits, identifier, changes, self._act()))

    async def disable_api(self, identifier: str) -> Row:
        return _row(ApiAnswer, await endings.disable_api(self._storage, identifier, self._act()))

    async def enable_api(self, identifier: str) -> Row:
        return await self._ready(await apis.enable_api(self._storage, identifier, self._act()))

    async def tokens(self, client_id: str, *, after: str, limit: int) -> list[Row]:
        now = int(self._local.clock())
        found = await tokens.tokens_of_client(self._storage, client_id, now=now, after=after, limit=limit)
        return [plain(token) for token in found]

    async def revoke_token(self, jti: str) -> Row:
        return plain(await tokens.revoke_token(self._storage, jti, self._act()))

    async def revoke(self, command: NewRevocation) -> Row:
        return plain(await revocations.revoke(self._storage, self.issuer, command, self._act()))

    async def revocation_readers(self, position: int) -> list[Row]:
        found = await feed_readers.readers(self._storage, now=self._local.clock(), position=position)
        return _rows(ApiKnowledgeAnswer, found)

    async def signing_keys(self) -> list[Row]:
        async with self._storage.read() as work:
            return _rows(SigningKeyAnswer, await work.signing_keys.list())

    async def rotate(self, command: Rotation) -> list[Row]:
        done = await self.keys().rotate(
            command.alg, compromised=command.compromised, kid=command.kid, use=command.use, actor=ACTOR
        )
        return _rows(RotationAnswer, done)

    async def bootstrap(self, client_id: str, key: VerificationKey) -> Row:
        """Make the first administrator; not part of the port, because only this machine may."""
        made = await bootstrap(self._storage, self._limits, self.issuer, client_id, key, self._act())
        return _row(ClientAnswer, made)

    async def begin_epoch(self, reason: str) -> EpochEnded:
        """End everything that was issued until now; not part of the port, because only this machine may."""
        async with self._storage.write() as work:
            return await raise_epoch(work, replace(self._act(), reason=reason))

    def keys(self) -> SigningKeys:
        """The installation's signing keys. Raises ConfigurationError without the key-encryption key."""
        local = self._local
        return SigningKeys(local.storage, local.key_management(), local.settings, local.clock)

    async def _ensure_keys(self, algorithms: Sequence[str]) -> None:
        # Else the first token that needs them would have to wait until the server looks round.
        if missing := set(algorithms) - set(self._local.settings.keys.algorithms):
            await self.keys().ensure(missing, actor=ACTOR)

    async def _ready(self, api: Api) -> Row:
        if api.token_format == "self-contained" and api.state == "active":
            await self._ensure_keys((api.token_alg,))
        return _row(ApiAnswer, api)

    def _act(self) -> Act:
        return Act(ACTOR, self._local.clock())


@asynccontextmanager
async def local_administration(
    config: Path | None, directory: Path | None, *, patient: bool = False
) -> AsyncIterator[LocalAdministration]:
    """The installation of this machine; its database is made if there is none; patient: see ``storage_for``.

    Raises ConfigurationError.
    """
    prepare_database(config, directory)
    async with open_local(config, directory=directory, patient=patient) as local:
        yield LocalAdministration(local)


def prepare_database(config: Path | None, directory: Path | None) -> None:
    """Make the schema in an empty database, so that an installation can be filled before its first start.

    One of another version is left to the server that runs on it: opening it says what to do.
    """
    url = local_settings(config, directory=directory).storage.url
    if current(url) is None:
        upgrade(url)


def _row(kind: type[Answer], record: object) -> Row:
    return plain(kind.model_validate(record))


def _rows(kind: type[Answer], records: Sequence[object]) -> list[Row]:
    return [_row(kind, record) for record in records]


async def _all(page: Page[T], key: str) -> list[T]:
    found: list[T] = []
    after: Any = ""
    while records := await page(after):
        found.extend(records)
        after = getattr(records[-1], key)
    return found
