"""What an operator is told of streams of security events, and what they can say of one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ostiary.admin.answers import Answer
from ostiary.admin.commands import ClientId, Command
from ostiary.authorization_server.signals_resource import signals_identifier
from ostiary.model.client import Client
from ostiary.model.signal import ChangedBy, SignalStream, StreamStatus
from ostiary.storage.base import UnitOfWork


class SignalStreamAnswer(Answer):
    """A stream; what its members mean is told in ``model.signal``. waiting: so many events wait for the receiver.

    The Authorization header of its pushes is the receiver's secret and not among them.
    """

    stream_id: str
    client_id: str
    method: str
    endpoint_url: str
    events_requested: list[str]
    description: str
    status: StreamStatus
    reason: str
    changed_by: ChangedBy
    waiting: int
    attempts: int
    verified_at: int | None
    created_at: int
    updated_at: int

    @classmethod
    async def of(cls, work: UnitOfWork, stream: SignalStream) -> SignalStreamAnswer:
        """Of the record, with how many events wait."""
        members = {name: getattr(stream, name) for name in cls.model_fields if name != "waiting"}
        return cls.model_validate(members | {"waiting": await work.signal_events.count(stream.stream_id)})


class ReceiverAnswer(Answer):
    """A client that may have a stream. resource: what it names in its token request."""

    client_id: str
    resource: str
    scopes: list[str]

    @classmethod
    def of(cls, issuer: str, client: Client) -> ReceiverAnswer:
        """Of the record."""
        resource = signals_identifier(issuer)
        return cls(client_id=client.client_id, resource=resource, scopes=list(client.scopes.get(resource, ())))


class NewReceiver(Command):
    """Which client may have a stream."""

    client_id: ClientId


class StreamPause(Command):
    """Why a stream is paused; its receiver reads it."""

    reason: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
