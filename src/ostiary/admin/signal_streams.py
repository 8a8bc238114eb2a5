"""Streams of security events: who may have one, which there are, paused, resumed, deleted by an operator."""

from __future__ import annotations

from dataclasses import replace

from ostiary.admin.apis import add_api
from ostiary.admin.commands import NewApi
from ostiary.admin.existing import NotThere, registered_client
from ostiary.admin.limits import Limits
from ostiary.audit import tags
from ostiary.authorization_server.signals_resource import MANAGE, READ, SCOPES, signals_identifier
from ostiary.errors import ConfigurationError
from ostiary.model.client import Client
from ostiary.model.signal import SignalStream
from ostiary.revocation.act import Act
from ostiary.shared_signals.acts import announce
from ostiary.storage.base import Storage, UnitOfWork

TOKEN_LIFE = 300  # seconds
_GRANT = "client_credentials"


async def allow_receiver(storage: Storage, limits: Limits, issuer: str, client_id: str, act: Act) -> Client:
    """Let a client have a stream: it gets the scopes for it, and the grant by which it asks in its own name.

    The API of the streams is made with the first one. Raises ConfigurationError: there is no such client, it stands in
    the settings file, or it proves nothing and so could be anybody.
    """
    identifier = signals_identifier(issuer)
    async with storage.write() as work:
        client = await registered_client(work, client_id)
        if client.authentication_method == "none":
            raise ConfigurationError(f"client {client_id!r} does not authenticate: anybody could fetch its events")
        await _ready(work, limits, identifier, act)
        grants = client.grant_types if _GRANT in client.grant_types else (*client.grant_types, _GRANT)
        changed = replace(
            client,
            scopes={**client.scopes, identifier: (MANAGE, READ)},
            grant_types=grants,
            updated_at=int(act.now),
        )
        if (changed.scopes, grants) == (client.scopes, client.grant_types):
            return client
        await work.clients.replace(changed)
        await work.audit.append(act.event(tags.CLIENT_UPDATED, client_id, changed="grant_types scopes"))
        return changed


async def existing_stream(work: UnitOfWork, stream_id: str) -> SignalStream:
    """The stream. Raises NotThere."""
    found = await work.signal_streams.get(stream_id)
    if found is None:
        raise NotThere(f"there is no stream {stream_id!r}: see `ostiary signal list`")
    return found


async def pause_stream(storage: Storage, stream_id: str, reason: str, act: Act) -> SignalStream:
    """Hold the events of a stream, until an operator lets it flow again: its receiver cannot. Raises NotThere."""
    async with storage.write() as work:
        stream = await existing_stream(work, stream_id)
        if stream.status == "paused" and stream.changed_by == "operator":
            return stream
        paused = replace(stream, status="paused", reason=reason, changed_by="operator")
        await _set(work, stream, paused, act)
        return paused


async def resume_stream(storage: Storage, stream_id: str, act: Act) -> SignalStream:
    """Let a stream flow again, with what waits in it. Raises NotThere."""
    async with storage.write() as work:
        stream = await existing_stream(work, stream_id)
        if stream.status == "enabled":
            return stream
        resumed = replace(stream, status="enabled", reason="", changed_by="operator")
        await _set(work, stream, resumed, act)
        return resumed


async def delete_stream(storage: Storage, stream_id: str, act: Act) -> SignalStream:
    """Delete a stream with what waits in it; its client may make another. Raises NotThere."""
    async with storage.write() as work:
        stream = await existing_stream(work, stream_id)
        await work.signal_streams.remove(stream_id)
        await work.audit.append(act.event(tags.SIGNAL_STREAM_DELETED, stream_id, client_id=stream.client_id))
        return stream


async def _set(work: UnitOfWork, was: SignalStream, now_is: SignalStream, act: Act) -> None:
    changed = await work.signal_streams.set_status(
        was.stream_id, now_is.status, reason=now_is.reason, by="operator", at=int(act.now), was=was.status
    )
    if changed:
        await announce(work, now_is, act.now, actor=act.actor)


async def _ready(work: UnitOfWork, limits: Limits, identifier: str, act: Act) -> None:
    if await work.apis.get(identifier) is None:
        # Reference tokens: what a receiver loses ends at once.
        life = min(TOKEN_LIFE, limits.max_life)
        name = "Security events"
        api = NewApi(identifier=identifier, name=name, scopes=SCOPES, token_format="reference", token_life=life)
        await add_api(work, limits, api, act)
