"""Makes the token of a waiting event when it is sent: RFC 8417, with the names by which its receiver knows the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.authorization_server.subjects import subject_for
from ostiary.model.client import Client
from ostiary.model.signal import SignalEvent, SignalStream
from ostiary.protocol import jws, security_event
from ostiary.protocol.subject_identifier import Subject, complex_subject, iss_sub, opaque
from ostiary.storage.base import UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

AUTHORIZATION: Final = "signal authorization"
"""What seals the Authorization header of a receiver, beside the id of its stream."""

_EVENT = msgspec.json.Decoder(dict[str, object])


async def due(
    server: AuthorizationServer, work: UnitOfWork, stream: SignalStream, client: Client, *, limit: int, only: str = ""
) -> tuple[dict[str, str], bool]:
    """The oldest events of the stream as signed tokens, by ``jti``, and whether more wait.

    only: the one type of event that is wanted, "" for all. Those of users whom the receiver has removed are dropped on
    the way. Raises Unavailable: no key can sign.
    """
    tokens: dict[str, str] = {}
    while True:
        waiting = await work.signal_events.waiting(stream.stream_id, limit=limit + 1, event_type=only or None)
        dropped = []
        for event in waiting[:limit]:
            name = subject_for(server, event.user_id, client) if event.user_id else ""
            if name and await work.signal_streams.has_removed(stream.stream_id, name):
                dropped.append(event.jti)
            elif event.jti not in tokens:
                tokens[event.jti] = signed(server, stream, client, event, name)
        if not dropped:
            return tokens, len(waiting) > limit
        await work.signal_events.remove(stream.stream_id, dropped)


def signed(server: AuthorizationServer, stream: SignalStream, client: Client, event: SignalEvent, name: str) -> str:
    """The token of ``event``; name: ``sub`` of its user at ``client``, "" for an event about the stream."""
    payload = security_event.build(
        issuer=server.issuer,
        audience=client.client_id,
        jti=event.jti,
        issued_at=event.at,
        subject=_subject(server, stream, event, name),
        event_type=event.event_type,
        event=_EVENT.decode(event.event),
    )
    alg = client.login.id_token_alg if client.login is not None else server.settings.keys.algorithms[0]
    return jws.sign(payload, server.signing_keys.current(alg), typ=security_event.TYP)


def _subject(server: AuthorizationServer, stream: SignalStream, event: SignalEvent, name: str) -> Subject:
    if not event.user_id:
        # SSF 1.0 8.1.4.1: the subject of such an event is the stream itself.
        return opaque(stream.stream_id)
    user = iss_sub(server.issuer, name)
    return complex_subject(user=user, session=opaque(event.session_id)) if event.session_id else user
