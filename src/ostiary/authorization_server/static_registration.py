"""Brings the clients, keys and APIs of ``ostiary.toml`` into the database, in one unit of work, at every start.

What left the file is ended: a client disabled with its tokens, a key retired, an API disabled; what comes back is taken
up again. What an operator ended by command stays ended though it stands in the file. All nodes must have the same file.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from ostiary.audit import tags
from ostiary.authorization_server.identifiers import new_grant_id
from ostiary.authorization_server.static_records import StaticRecords, named, static_records
from ostiary.errors import ConfigurationError
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.model.event import AuditEvent
from ostiary.model.grant import Grant
from ostiary.revocation import Act, retire_client_key, revoke_client
from ostiary.settings.sections import Settings
from ostiary.storage.base import Storage, UnitOfWork

ACTOR: Final = "configuration"
LEFT: Final = "static_left"
"""The setting that remembers what was ended because it left the file, and so may come back with it."""

_PAGE = 200


async def synchronize(storage: Storage, settings: Settings, clock: Callable[[], float]) -> int:
    """Make the database hold what the file says; how many records changed. Nothing changes if it raises.

    Raises ConfigurationError: a client, key or API of the file is one that was registered by command, a client may have
    a scope that does not exist, or a key file is refused. Raises Unavailable.
    """
    now = clock()
    records = static_records(settings, int(now))
    async with storage.write() as work:
        await work.positions(changing=True)  # from here on nobody else changes the registry
        left: dict[str, list[str]] = json.loads(await work.setting(LEFT) or "{}")
        step = _Synchronization(work, records, Act(ACTOR, now, "ostiary.toml"), {k: set(v) for k, v in left.items()})
        await step.run()
        ended = {kind: sorted(names) for kind, names in step.left.items()}
        if ended != left:
            await work.set_setting(LEFT, json.dumps(ended))
        if step.changes:
            await work.audit.append(step.act.event(tags.STATIC_SYNCHRONIZED, "", changes=str(step.changes)))
    return step.changes


@dataclass(slots=True)
class _Synchronization:
    work: UnitOfWork
    records: StaticRecords
    act: Act
    left: dict[str, set[str]]
    changes: int = field(default=0)

    async def run(self) -> None:
        for api in self.records.apis.values():
            await self._api(api)
        for client in self.records.clients.values():
            await self._check_scopes(client)
            await self._client(client)
        for key in self.records.keys.values():
            await self._key(key)
        await self._end_what_left()

    async def _client(self, client: Client) -> None:
        present = await self.work.clients.get(client.client_id)
        if present is None:
            now = client.created_at
            client = replace(client, grant_id=new_grant_id(self.act.now))
            await self.work.clients.add(client)
            await self.work.grants.add(
                Grant(client.grant_id, client.client_id, client.client_id, "client_credentials", now, None, None)
            )
            await self._did(tags.CLIENT_CREATED, client.client_id)
            return
        if present.source != "static":
            raise ConfigurationError(
                f"static.clients.{client.client_id}: {named(present)} was registered by command: rename the one in the "
                "file, or keep the registered one and take this one out."
            )
        returns = self._returns("clients", client.client_id)
        kept = replace(
            client,
            state="active" if returns else present.state,
            grant_id=present.grant_id,
            created_at=present.created_at,
            updated_at=present.updated_at,
        )
        if kept != present:
            await self.work.clients.replace(replace(kept, updated_at=client.updated_at))
            await self._did(tags.CLIENT_ENABLED if returns else tags.CLIENT_UPDATED, client.client_id)

    async def _key(self, key: ClientKey) -> None:
        present = await self.work.client_keys.by_thumbprint(key.thumbprint)
        if present is None:
            await self.work.client_keys.add(key)
            await self._did(tags.CLIENT_KEY_ADDED, key.client_id, kid=key.kid, thumbprint=key.thumbprint)
            return
        if present.source != "static" or present.client_id != key.client_id:
            holder = await self.work.clients.get(present.client_id)
            raise ConfigurationError(
                f"A key of the file, for {named(self.records.clients[key.client_id])}, already is a key of "
                f"{named(holder) if holder else present.client_id}: give each a key of its own, and name it once."
            )
        returns = self._returns("keys", key.thumbprint) and present.state == "retired"
        kept = replace(present, kid=key.kid, alg=key.alg, jwk=key.jwk, owner=key.owner)
        kept = replace(kept, state="active") if returns else kept
        if kept != present:
            await self.work.client_keys.replace(kept)
            await self._did(tags.CLIENT_KEY_ADDED, key.client_id, kid=key.kid, thumbprint=key.thumbprint)

    async def _api(self, api: Api) -> None:
        present = await self.work.apis.get(api.identifier)
        if present is None:
            await self.work.apis.add(api)
            await self._did(tags.API_CREATED, api.identifier)
            return
        if present.source != "static":
            raise ConfigurationError(
                f"static.apis.{api.name}: the API {api.identifier!r} was registered by command: "
                "take it out of the file."
            )
        returns = self._returns("apis", api.identifier)
        state = "active" if returns else present.state
        kept = replace(api, state=state, created_at=present.created_at, updated_at=present.updated_at)
        if kept != present:
            await self.work.apis.replace(replace(kept, updated_at=api.updated_at))
            await self._did(tags.API_ENABLED if returns else tags.API_UPDATED, api.identifier)

    async def _check_scopes(self, client: Client) -> None:
        for identifier, scopes in client.scopes.items():
            api = self.records.apis.get(identifier) or await self.work.apis.get(identifier)
            if api is None:
                raise ConfigurationError(
                    f"static.clients.{client.client_id}.scopes: there is no API {identifier!r}: "
                    "add it under static.apis."
                )
            if unknown := sorted(set(scopes) - api.scopes.keys()):
                raise ConfigurationError(
                    f"static.clients.{client.client_id}.scopes: the API {identifier!r} has no scope "
                    f"{', '.join(unknown)}; it has: {', '.join(sorted(api.scopes)) or 'none'}."
                )

    async def _end_what_left(self) -> None:
        async for client in _static_clients(self.work):
            for key in await self.work.client_keys.of_client(client.client_id):
                if key.source == "static" and key.state == "active" and key.thumbprint not in self.records.keys:
                    await retire_client_key(self.work, key.thumbprint, self.act)
                    self._leaves("keys", key.thumbprint)
            if client.client_id not in self.records.clients and await revoke_client(
                self.work, client.client_id, self.act
            ):
                self._leaves("clients", client.client_id)
        async for api in _static_apis(self.work):
            if api.identifier not in self.records.apis and api.state == "active":
                await self.work.apis.replace(replace(api, state="disabled", updated_at=int(self.act.now)))
                await self.work.audit.append(self.act.event(tags.API_DISABLED, api.identifier))
                self._leaves("apis", api.identifier)

    def _leaves(self, kind: str, name: str) -> None:
        self.left.setdefault(kind, set()).add(name)
        self.changes += 1

    def _returns(self, kind: str, name: str) -> bool:
        names = self.left.get(kind, set())
        was_there = name in names
        names.discard(name)
        return was_there

    async def _did(self, tag: str, target: str, **details: str) -> None:
        event: AuditEvent = self.act.event(tag, target, source="static", **details)
        await self.work.audit.append(event)
        self.changes += 1


async def _static_clients(work: UnitOfWork) -> AsyncIterator[Client]:
    after = ""
    while page := await work.clients.static(after=after, limit=_PAGE):
        for client in page:
            yield client
        after = page[-1].client_id


async def _static_apis(work: UnitOfWork) -> AsyncIterator[Api]:
    after = ""
    while page := await work.apis.static(after=after, limit=_PAGE):
        for api in page:
            yield api
        after = page[-1].identifier
