"""The configuration endpoint: a receiver makes, reads, changes and deletes its stream. SSF 1.0 section 8.1.1."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.shared_signals.receiver import NO_CONTENT, Call, receivers_alone
from ostiary.authorization_server.http import Response, json_response
from ostiary.authorization_server.signals_resource import STREAMS_PATH
from ostiary.errors import OAuthError
from ostiary.shared_signals.streams import Rules, changed_stream, new_stream, replaced_stream, view
from ostiary.shared_signals.tokens import AUTHORIZATION
from ostiary.storage.base import UnitOfWork


async def _answer(call: Call, work: UnitOfWork) -> Response:
    match call.method:
        case "POST":
            return await _create(call, work)
        case "PATCH" | "PUT":
            return await _change(call, work)
        case "DELETE":
            return await _delete(call, work)
        case _:
            return await _read(call, work)


async def _create(call: Call, work: UnitOfWork) -> Response:
    stream = new_stream(_rules(call), call.client.client_id, call.members, int(call.now))
    if not await work.signal_streams.add(stream):
        # 8.1.1.1: "409 if the Transmitter does not allow multiple streams for this Receiver"
        raise OAuthError("conflict", "this client has a stream already", status=409, check="stream")
    details = {"method": stream.method, "events": str(len(stream.events_requested))}
    await work.audit.append(call.event(tags.SIGNAL_STREAM_CREATED, stream.stream_id, **details))
    return json_response(view(call.server.issuer, stream), status=201)


async def _read(call: Call, work: UnitOfWork) -> Response:
    if "stream_id" in call.members:
        return json_response(view(call.server.issuer, await call.stream(work)))
    # 8.1.1.2: without a stream_id, a list of those of this receiver, be it empty.
    found = await work.signal_streams.of_client(call.client.client_id)
    return json_response([view(call.server.issuer, found)] if found is not None else [])


async def _change(call: Call, work: UnitOfWork) -> Response:
    stream = await call.stream(work)
    make = changed_stream if call.method == "PATCH" else replaced_stream
    changed = make(_rules(call), stream, call.members, int(call.now))
    await work.signal_streams.replace(changed)
    await work.audit.append(call.event(tags.SIGNAL_STREAM_UPDATED, stream.stream_id, method=changed.method))
    return json_response(view(call.server.issuer, changed))


async def _delete(call: Call, work: UnitOfWork) -> Response:
    stream = await call.stream(work)
    await work.signal_streams.remove(stream.stream_id)
    await work.audit.append(call.event(tags.SIGNAL_STREAM_DELETED, stream.stream_id))
    return Response(204, NO_CONTENT, b"")


def _rules(call: Call) -> Rules:
    server = call.server

    def seal(stream_id: str, header: str) -> bytes:
        return server.seals.seal(AUTHORIZATION, header.encode("ascii"), context=stream_id.encode("ascii"))

    return Rules(server.issuer, server.settings.fetching.allow_http, seal)


ENDPOINT = Endpoint("ssf_streams", STREAMS_PATH, ("GET", "POST", "PATCH", "PUT", "DELETE"), receivers_alone(_answer))
