"""Queues what receivers are told of an act, in the unit of work of the act: SSF 1.0, with the events of CAEP and RISC.

A receiver is told of the users that it knows and of nobody else: those who have let this client act for them, and of a
session's end only if it was used in that session. Without a stream all this is one look into an empty table.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from ostiary.audit import tags
from ostiary.authorization_server.identifiers import new_jti
from ostiary.model.event import AuditEvent
from ostiary.model.factor import FactorKind
from ostiary.model.signal import SignalEvent, SignalStream
from ostiary.protocol import event_types
from ostiary.protocol.acr import LEVELS
from ostiary.storage.base import UnitOfWork

MAX_WAITING: Final = 10_000
"""Events of one stream; when so many wait, it is paused and what comes then is lost to it."""

LIFE: Final = 7 * 86_400
"""Seconds for which an event waits for its receiver."""

FULL: Final = "too many events wait: those that came since are lost"

CREDENTIAL_TYPES: Final[dict[FactorKind, str]] = {
    "password": "password",
    "passkey": "fido2-platform",
    "totp": "app",
    "recovery_code": "recovery-code",
    "upstream": "federated-account",
}
"""``credential_type``: CAEP 1.0 section 3.3, "or any other credential type supported mutually"."""


ACR_NAMESPACE: Final = "urn:ostiary:acr"
"""CAEP 1.0 section 3.4 ``namespace``: the levels are those of ``acr`` in our ID tokens."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What happened to a user: the type of the event (a URI), and what it says beside who did it and when.

    session_id: the session that it is about, "" if it is about the user.
    """

    event_type: str
    user_id: str
    session_id: str = ""
    event: dict[str, object] = field(default_factory=dict)


def session_revoked(user_id: str, session_id: str) -> Signal:
    """A session was ended before its time: CAEP 1.0 section 3.1."""
    return Signal(event_types.SESSION_REVOKED, user_id, session_id)


def credential_changed(user_id: str, kind: FactorKind, change: str) -> Signal:
    """A factor was added, changed or removed; change: ``create``, ``update`` or ``delete``. CAEP 1.0 section 3.3."""
    event: dict[str, object] = {"credential_type": CREDENTIAL_TYPES[kind], "change_type": change}
    return Signal(event_types.CREDENTIAL_CHANGE, user_id, event=event)


def assurance_changed(user_id: str, session_id: str, before: str, now_is: str) -> Signal:
    """The same session is proved otherwise than before, ``acr`` by ``acr``: CAEP 1.0 section 3.4."""
    rises = LEVELS.index(now_is) > LEVELS.index(before) if {before, now_is} <= set(LEVELS) else None
    event: dict[str, object] = {"namespace": ACR_NAMESPACE, "previous_level": before, "current_level": now_is}
    if rises is not None:
        event["change_direction"] = "increase" if rises else "decrease"
    return Signal(event_types.ASSURANCE_LEVEL_CHANGE, user_id, session_id, event)


def account_disabled(user_id: str) -> Signal:
    """RISC 1.0 section 2.3."""
    return Signal(event_types.ACCOUNT_DISABLED, user_id)


def account_enabled(user_id: str) -> Signal:
    """RISC 1.0 section 2.4."""
    return Signal(event_types.ACCOUNT_ENABLED, user_id)


async def tell(work: UnitOfWork, signal: Signal, *, actor: str, now: float) -> None:
    """Queue ``signal`` for every stream that wants it and whose client knows the user.

    actor: as the audit log names it; now: seconds since the epoch.
    """
    streams = await work.signal_streams.wanting(signal.event_type)
    if not streams:
        return
    known = await _clients_who_know(work, signal)
    for stream in streams:
        if stream.client_id in known:
            await _queue(work, stream, signal, actor, now)


async def queue_about_stream(
    work: UnitOfWork, stream: SignalStream, event_type: str, event: dict[str, object], now: float
) -> None:
    """Queue an event about the stream itself: SSF 1.0 sections 8.1.4 and 8.1.5."""
    await work.signal_events.add(_event(stream, event_type, event, now))


async def _clients_who_know(work: UnitOfWork, signal: Signal) -> set[str]:
    if signal.session_id:
        return {grant.client_id for grant in await work.grants.of_session(signal.session_id)}
    consents = await work.consents.of_user(signal.user_id)
    return {consent.client_id for consent in consents} | await work.grants.clients_of_user(signal.user_id)


async def _queue(work: UnitOfWork, stream: SignalStream, signal: Signal, actor: str, now: float) -> None:
    if await work.signal_events.reach(stream.stream_id, MAX_WAITING):
        await _pause(work, stream, now)
        return
    event: dict[str, object] = {"event_timestamp": int(now), "initiating_entity": _initiator(actor), **signal.event}
    made = _event(stream, signal.event_type, event, now)
    await work.signal_events.add(replace(made, user_id=signal.user_id, session_id=signal.session_id))


async def _pause(work: UnitOfWork, stream: SignalStream, now: float) -> None:
    """Say once that events are lost; a stream that its receiver or an operator had paused stays theirs to resume."""
    if stream.reason == FULL:
        return
    by = "server" if stream.status == "enabled" else stream.changed_by
    paused = await work.signal_streams.set_status(
        stream.stream_id, "paused", reason=FULL, by=by, at=int(now), was=stream.status
    )
    if paused:
        await announce(work, replace(stream, status="paused", reason=FULL, changed_by=by), now)


async def announce(work: UnitOfWork, stream: SignalStream, now: float, *, actor: str = "server") -> None:
    """Put on record, and tell the receiver, that ``stream`` has a new status without its asking.

    "If a Transmitter decides to change the status of an Event Stream from 'enabled' to either 'paused' or 'disabled',
    then the Transmitter MUST send this event" SSF 1.0 section 8.1.5
    """
    tag = tags.SIGNAL_STREAM_RESUMED if stream.status == "enabled" else tags.SIGNAL_STREAM_PAUSED
    details = {"client_id": stream.client_id}
    event = AuditEvent(
        tag, "done", int(now * 1000), actor=actor, target=stream.stream_id, reason=stream.reason, details=details
    )
    await work.audit.append(event)
    told: dict[str, object] = {"status": stream.status} | ({"reason": stream.reason} if stream.reason else {})
    await queue_about_stream(work, stream, event_types.STREAM_UPDATED, told, now)


def _event(stream: SignalStream, event_type: str, event: dict[str, object], now: float) -> SignalEvent:
    text = msgspec.json.encode(event).decode()
    return SignalEvent(stream.stream_id, new_jti(now), event_type, text, int(now), int(now) + LIFE)


def _initiator(actor: str) -> str:
    """CAEP 1.0 section 2: who has caused the event."""
    if actor.startswith("user:"):
        return "user"
    return "admin" if actor == "cli" or actor.startswith("admin:") else "system"
