"""The verification endpoint: a receiver asks for an event that shows that its stream works. SSF 1.0 section 8.1.4."""

from __future__ import annotations

from typing import Final

from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.shared_signals.receiver import NO_CONTENT, Call, receivers_alone
from ostiary.authorization_server.http import Response
from ostiary.authorization_server.signals_resource import VERIFICATION_PATH
from ostiary.errors import OAuthError
from ostiary.protocol import event_types
from ostiary.protocol.checks import shown
from ostiary.shared_signals.acts import MAX_WAITING, queue_about_stream
from ostiary.shared_signals.streams import MIN_VERIFICATION_INTERVAL
from ostiary.storage.base import UnitOfWork

MAX_STATE: Final = 1024


async def _answer(call: Call, work: UnitOfWork) -> Response:
    stream, state, now = await call.stream(work), _state(call.members.get("state")), int(call.now)
    asked = await work.signal_streams.ask_verification(stream.stream_id, at=now, before=now - MIN_VERIFICATION_INTERVAL)
    if not asked or await work.signal_events.reach(stream.stream_id, MAX_WAITING):
        # 8.1.4.2: "429 if the Event Receiver is sending too many requests"
        raise OAuthError(
            "slow_down",
            "a verification event was asked for a moment ago",
            status=429,
            headers={"Retry-After": str(MIN_VERIFICATION_INTERVAL)},
            check="verification",
        )
    if stream.status != "disabled":
        event: dict[str, object] = {} if state is None else {"state": state}
        await queue_about_stream(work, stream, event_types.VERIFICATION, event, call.now)
    return Response(204, NO_CONTENT, b"")


def _state(value: object) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= MAX_STATE):
        return value
    raise OAuthError(
        "invalid_request",
        "state is not usable",
        check="state",
        seen=shown(value),
        expected=f"at most {MAX_STATE} characters",
    )


ENDPOINT = Endpoint("ssf_verification", VERIFICATION_PATH, ("POST",), receivers_alone(_answer))
