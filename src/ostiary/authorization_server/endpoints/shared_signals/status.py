"""The status endpoint: whether a stream flows, and a receiver's wish that it does or not. SSF 1.0 section 8.1.2."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.shared_signals.receiver import Call, receivers_alone
from ostiary.authorization_server.http import Response, json_response
from ostiary.authorization_server.signals_resource import STATUS_PATH
from ostiary.errors import OAuthError
from ostiary.model.signal import SignalStream, StreamStatus
from ostiary.protocol.checks import shown
from ostiary.shared_signals.streams import MAX_TEXT, status_view
from ostiary.storage.base import UnitOfWork

_TAGS: Final[dict[StreamStatus, str]] = {
    "enabled": tags.SIGNAL_STREAM_RESUMED,
    "paused": tags.SIGNAL_STREAM_PAUSED,
    "disabled": tags.SIGNAL_STREAM_DISABLED,
}


async def _answer(call: Call, work: UnitOfWork) -> Response:
    stream = await call.stream(work)
    if call.method == "POST":
        stream = await _update(call, work, stream)
    return json_response(status_view(stream))


async def _update(call: Call, work: UnitOfWork, stream: SignalStream) -> SignalStream:
    status, reason = _status(call.members.get("status")), _reason(call.members.get("reason", ""))
    if status == stream.status:
        return stream
    if stream.changed_by == "operator" and stream.status != "enabled" and status != "disabled":
        raise OAuthError(
            "access_denied",
            "the operator has paused this stream",
            status=403,
            check="status",
            seen=status,
            mend=f"an operator lets it flow again: ostiary signal resume {stream.stream_id}",
        )
    await work.signal_streams.set_status(
        stream.stream_id, status, reason=reason, by="receiver", at=int(call.now), was=stream.status
    )
    if status == "disabled":
        # 8.1.2.1, disabled: "the Transmitter MUST NOT transmit events over the stream and will not hold any events".
        await work.signal_events.remove_all(stream.stream_id)
    await work.audit.append(call.event(_TAGS[status], stream.stream_id, reason=reason))
    return replace(stream, status=status, reason=reason, changed_by="receiver")


def _status(value: object) -> StreamStatus:
    match value:
        case "enabled" | "paused" | "disabled":
            return value
        case _:
            raise _refused("status", value, "enabled, paused or disabled")


def _reason(value: object) -> str:
    if isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable():
        return value
    raise _refused("reason", value, f"a line of at most {MAX_TEXT} characters")


def _refused(name: str, value: object, expected: str) -> OAuthError:
    return OAuthError("invalid_request", f"{name} is not usable", check=name, seen=shown(value), expected=expected)


ENDPOINT = Endpoint("ssf_status", STATUS_PATH, ("GET", "POST"), receivers_alone(_answer))
