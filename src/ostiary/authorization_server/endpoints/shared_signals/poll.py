"""Poll: a receiver fetches the events that wait for it and says which ones it has taken. RFC 8936."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, NoReturn

from ostiary.audit import tags
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.shared_signals.receiver import (
    Call,
    in_transaction,
    members_of,
    refused,
)
from ostiary.authorization_server.exchange import Exchange
from ostiary.authorization_server.http import Request, Response, json_response
from ostiary.authorization_server.signals_resource import POLL_PATH, READ
from ostiary.errors import OAuthError
from ostiary.model.signal import POLL, SignalStream
from ostiary.protocol import event_types
from ostiary.protocol.checks import shown
from ostiary.shared_signals.tokens import due
from ostiary.storage.base import UnitOfWork
from ostiary.trace import Trace, redact

MAX_EVENTS: Final = 100
"""Events of one answer, however many are asked for."""

LOOKS: Final = 20
LOOK_EVERY: Final = 0.5
"""Seconds: a request without events to tell is held for ten."""

MAX_WAITING_REQUESTS: Final = 100
"""Requests that one process holds; one more is answered at once."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says: RFC 8936 section 2.2. errors: by ``jti`` what the receiver holds against an event."""

    most: int
    at_once: bool
    taken: list[str]
    errors: dict[str, str]


async def _poll(server: AuthorizationServer, request: Request) -> Response:
    exchange = Exchange(server, request, server.clock(), Trace("signals"), tags.SIGNALS_REFUSED)
    told: list[SignalStream] = []

    async def answer(call: Call, work: UnitOfWork) -> Response:
        stream, asked = await _stream(call, work), _asked(call.members)
        told[:] = [stream]
        await _take_acknowledgements(call, work, stream, asked)
        return await _tell(call, work, stream, asked)

    try:
        members = members_of(request)
        response = await in_transaction(exchange, members, READ, answer)
        if _is_empty(response) and await _came(server, told[0], _asked(members)):
            # The token is judged anew: it may have been revoked while the request was held.
            exchange.now = server.clock()
            response = await in_transaction(exchange, members, READ, answer)
        return response
    except Exception as error:
        return await refused(exchange, error, READ)


async def _stream(call: Call, work: UnitOfWork) -> SignalStream:
    stream = await call.stream(work, call.path.rpartition("/")[2])
    if stream.method != POLL:
        raise OAuthError("not_found", "this stream is pushed", status=404, check="stream", seen=stream.method)
    return stream


async def _take_acknowledgements(call: Call, work: UnitOfWork, stream: SignalStream, asked: Asked) -> None:
    for jti, complaint in asked.errors.items():
        if await work.signal_events.remove(stream.stream_id, [jti]):
            await work.audit.append(call.event(tags.SIGNAL_NOT_TAKEN, jti, stream=stream.stream_id, err=complaint))
    taken = await work.signal_events.remove(stream.stream_id, asked.taken) if asked.taken else 0
    if taken:
        await work.audit.append(call.event(tags.SIGNALS_TOLD, stream.stream_id, taken=str(taken)))


async def _tell(call: Call, work: UnitOfWork, stream: SignalStream, asked: Asked) -> Response:
    tokens: dict[str, str] = {}
    more = False
    if asked.most and stream.status != "disabled":
        # A paused stream holds its events; that it is paused is told all the same (SSF 1.0 8.1.5).
        only = event_types.STREAM_UPDATED if stream.status == "paused" else ""
        tokens, more = await due(call.server, work, stream, call.client, limit=min(asked.most, MAX_EVENTS), only=only)
    if tokens:
        await work.audit.append(call.event(tags.SIGNALS_TOLD, stream.stream_id, handed=str(len(tokens))))
        call.server.on_event("signals", {"delivery": "poll", "outcome": "handed"})
    # RFC 8936 2.3: "moreAvailable ... A JSON boolean value that indicates if more unacknowledged SETs are available".
    return json_response({"sets": tokens} | ({"moreAvailable": True} if more else {}))


def _is_empty(response: Response) -> bool:
    return response.body == b'{"sets":{}}'


async def _came(server: AuthorizationServer, stream: SignalStream, asked: Asked) -> bool:
    """Whether something came within the time for which a request is held. Raises Unavailable.

    One request of each stream is held, and so many in all: whoever opens more is answered at once.
    """
    held = server.held_polls
    if asked.at_once or not asked.most or stream.status == "disabled":
        return False
    if stream.stream_id in held or len(held) >= MAX_WAITING_REQUESTS:
        return False
    held.add(stream.stream_id)
    try:
        for _ in range(LOOKS):
            if await _something_waits(server, stream):
                return True
            await asyncio.sleep(LOOK_EVERY)
    finally:
        held.discard(stream.stream_id)
    return False


async def _something_waits(server: AuthorizationServer, stream: SignalStream) -> bool:
    only = event_types.STREAM_UPDATED if stream.status == "paused" else None
    async with server.storage.read() as work:
        return bool(await work.signal_events.waiting(stream.stream_id, limit=1, event_type=only))


def _asked(members: dict[str, object]) -> Asked:
    most, at_once = members.get("maxEvents", MAX_EVENTS), members.get("returnImmediately", False)
    taken, errors = members.get("ack", []), members.get("setErrs", {})
    if type(most) is not int or most < 0:
        _refuse("maxEvents", most, "a whole number from 0 on")
    if not isinstance(at_once, bool):
        _refuse("returnImmediately", at_once, "true or false")
    if not isinstance(taken, list) or not all(isinstance(one, str) for one in taken):
        _refuse("ack", taken, "an array of jti")
    if not isinstance(errors, dict) or not all(isinstance(one, dict) for one in errors.values()):
        _refuse("setErrs", errors, "an object of objects by jti")
    return Asked(most, at_once, taken, {jti: _complaint(one) for jti, one in errors.items()})


def _complaint(error: dict[str, object]) -> str:
    return redact(shown(f"{error.get('err', '')}: {error.get('description', '')}"))


def _refuse(name: str, value: object, expected: str) -> NoReturn:
    raise OAuthError("invalid_request", f"{name} is not usable", check=name, seen=shown(value), expected=expected)


ENDPOINT = Endpoint("ssf_poll", POLL_PATH, ("POST",), _poll)
