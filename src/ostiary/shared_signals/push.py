"""Push: events are sent to the receiver's endpoint, one after the other and in order. RFC 8935.

An endpoint is told nothing of anybody until it has taken a verification event: a receiver that names somebody else's
address, or a wrong one, tells it no more than that. What fails is tried again, ever more slowly, and holds what comes
after it back, so that the order stays; ``late`` pauses a stream that has failed too long.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from ostiary.audit import tags
from ostiary.authorization_server.deliverer import PAUSES
from ostiary.authorization_server.identifiers import new_jti
from ostiary.errors import OstiaryError, VerificationError
from ostiary.fetching.guarded import Content, Fetched
from ostiary.model.client import Client
from ostiary.model.event import AuditEvent
from ostiary.model.signal import PUSH, SignalEvent, SignalStream
from ostiary.protocol import event_types, security_event, strict_json
from ostiary.protocol.checks import shown
from ostiary.shared_signals.streams import PURPOSE
from ostiary.shared_signals.tokens import AUTHORIZATION, due, signed
from ostiary.storage.base import UnitOfWork
from ostiary.trace import redact

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

LEASE: Final = 60
"""Seconds for which a process has a stream to itself; if it dies, another one goes on after that."""

AT_A_TIME: Final = 3.0
"""Seconds after which a process turns to the other streams again."""

_TAKEN: Final = frozenset((200, 202, 204))
_FOR_GOOD: Final = frozenset(("invalid_request", "invalid_issuer", "invalid_audience"))
"""RFC 8935 section 2.4: errors of this one token. The others are of keys and credentials, and may be mended."""

log = logging.getLogger("ostiary.signals")


class Sender(Protocol):
    """What sends to a URL that somebody registered: the guarded fetcher."""

    async def fetch(self, url: str, *, purpose: str, content: Content, authorization: str = "") -> Fetched: ...


class NotTaken(Exception):
    """The receiver did not take it now; a later try may succeed."""


class Pusher:
    """For a chore every second; harmless in several processes."""

    def __init__(self, server: AuthorizationServer, sender: Sender) -> None:
        self._server = server
        self._sender = sender

    async def round(self) -> int:
        """Push what waits in the streams that are due; how many events were taken."""
        now = int(self._server.clock())
        return sum(await asyncio.gather(*(self._work_on(stream) for stream in await self._due(now))))

    async def _due(self, now: int) -> list[SignalStream]:
        found: list[SignalStream] = []
        async with self._server.storage.read() as work:
            after = ""
            while page := await work.signal_streams.list(after=after):
                after = page[-1].stream_id
                found += [one for one in page if _may_push(one) and one.due_at <= now and await _waits(work, one)]
        return found

    async def _work_on(self, stream: SignalStream) -> int:
        server = self._server
        async with server.storage.write() as work:
            if not await work.signal_streams.take_push(stream, due_at=int(server.clock()) + LEASE):
                return 0
        taken, attempts, pause, verified_at = 0, 0, 0, stream.verified_at
        try:
            if verified_at is None:
                await self._verify(stream)
                verified_at = int(server.clock())
            until = server.monotonic() + AT_A_TIME
            while server.monotonic() < until and await self._push_one(stream):
                taken += 1
        except (NotTaken, OstiaryError, OSError) as error:
            attempts, pause = stream.attempts + 1, PAUSES[min(stream.attempts, len(PAUSES) - 1)]
            log.warning("stream %s is tried again in %s s: %s", stream.stream_id, pause, redact(str(error)))
        except Exception:
            # A fault of ours in one stream must not keep the others back.
            attempts, pause = stream.attempts + 1, PAUSES[-1]
            log.exception("pushing stream %s failed; it is tried again in %s s", stream.stream_id, pause)
        due_at = int(server.clock()) + pause if pause else 0
        async with server.storage.write() as work:
            await work.signal_streams.settle_push(stream, attempts=attempts, due_at=due_at, verified_at=verified_at)
        return taken

    async def _verify(self, stream: SignalStream) -> None:
        """SSF 1.0 8.1.4: a verification event may be sent at any time; its subject is the stream, nobody else."""
        server = self._server
        now = int(server.clock())
        async with server.storage.read() as work:
            client = await _active_client(work, stream)
        event = SignalEvent(stream.stream_id, new_jti(now), event_types.VERIFICATION, "{}", now, now)
        if await self._send(stream, signed(server, stream, client, event, "")) is not None:
            raise NotTaken("the endpoint refused the verification event")

    async def _push_one(self, stream: SignalStream) -> bool:
        """Push the oldest event; whether there was one."""
        async with self._server.storage.write() as work:
            here = await work.signal_streams.get(stream.stream_id)
            if here is None or not _may_push(here) or here.endpoint_url != stream.endpoint_url:
                return False
            client = await _active_client(work, stream)
            tokens, _ = await due(self._server, work, stream, client, limit=1, only=_only(here))
        for jti, token in tokens.items():
            await self._settle(stream, jti, await self._send(stream, token))
        return bool(tokens)

    async def _send(self, stream: SignalStream, token: str) -> str | None:
        """None if it was taken, else why it was refused for good. Raises NotTaken, FetchRefused, Unavailable."""
        content = Content(token.encode("ascii"), security_event.MEDIA_TYPE)
        answer = await self._sender.fetch(
            stream.endpoint_url, purpose=PURPOSE, content=content, authorization=self._authorization(stream)
        )
        # RFC 8935 2.2: "the SET Recipient ... responds with an HTTP Response Status Code of 202 (Accepted)"; many
        # answer 200 or 204.
        if answer.status in _TAKEN:
            return None
        if answer.status == 400:
            code, told = _error(answer.body)
            if code in _FOR_GOOD:
                return told
            raise NotTaken(told)
        raise NotTaken(f"the receiver answered {answer.status}")

    async def _settle(self, stream: SignalStream, jti: str, refusal: str | None) -> None:
        server = self._server
        tag, target = (tags.SIGNALS_TOLD, stream.stream_id) if refusal is None else (tags.SIGNAL_NOT_TAKEN, jti)
        details = {"jti": jti} if refusal is None else {"stream": stream.stream_id, "err": refusal}
        at = int(server.clock() * 1000)
        async with server.storage.write() as work:
            await work.signal_events.remove(stream.stream_id, [jti])
            await work.audit.append(AuditEvent(tag, "done", at, actor=stream.client_id, target=target, details=details))
        server.on_event("signals", {"delivery": "push", "outcome": "taken" if refusal is None else "refused"})

    def _authorization(self, stream: SignalStream) -> str:
        if stream.sealed_authorization is None:
            return ""
        context = stream.stream_id.encode("ascii")
        return self._server.seals.open(AUTHORIZATION, stream.sealed_authorization, context=context).decode("ascii")


def _may_push(stream: SignalStream) -> bool:
    return stream.method == PUSH and stream.status != "disabled"


def _only(stream: SignalStream) -> str:
    # A paused stream holds its events; that it is paused is told all the same (SSF 1.0 8.1.5).
    return event_types.STREAM_UPDATED if stream.status == "paused" else ""


async def _waits(work: UnitOfWork, stream: SignalStream) -> bool:
    if stream.verified_at is None and stream.status == "enabled":
        return True
    only = _only(stream) or None
    return stream.verified_at is not None and bool(
        await work.signal_events.waiting(stream.stream_id, limit=1, event_type=only)
    )


async def _active_client(work: UnitOfWork, stream: SignalStream) -> Client:
    client = await work.clients.get(stream.client_id)
    if client is None or client.state != "active":
        raise NotTaken(f"client {stream.client_id} is disabled")
    return client


def _error(body: bytes) -> tuple[str, str]:
    try:
        members = strict_json.decode_object(body)
    except VerificationError:
        return "", "the receiver answered 400 without a reason"
    code, description = members.get("err", ""), members.get("description", "")
    return str(code), redact(shown(f"{code}: {description}"))
