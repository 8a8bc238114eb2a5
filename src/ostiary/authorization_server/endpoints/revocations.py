"""Where a process of an API follows the revocation log, by an answer that does not end.

The parameters are ``after``, the position above which it wants the log, the ``installation`` that it knows, if any, and
a ``nonce``, which the first message repeats. Source: docs/decisions/revocation-feed.md.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Final

from ostiary.audit import tags
from ostiary.authorization_server.callers import apis_of_caller
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.event_stream import HEADERS, EventStream
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.http import Request, Response, fault, json_response
from ostiary.errors import OAuthError
from ostiary.model.event import AuditEvent
from ostiary.model.feed_reader import LIFE, FeedReader
from ostiary.protocol import token_format
from ostiary.protocol.checks import NONCE, shown
from ostiary.revocation_feed.hub import Opening
from ostiary.revocation_feed.stream import Member
from ostiary.storage.base import UnitOfWork

UNKNOWN_POSITION: Final = "unknown_position"
"""The error code (409) by which a reader learns that the log has another past than it knows."""
POSITION: Final = "position"
_NUMBER = re.compile(r"[0-9]{1,16}")
_LAST = 2**53 - 1
_log = logging.getLogger(__name__)


async def handler(server: AuthorizationServer, request: Request) -> Response:
    """Admit a reader in one transaction, then let it follow."""
    beginning = _Beginning(server)
    answer = authenticated("revocations", tags.FEED_REFUSED, beginning.decide)
    response: Response | None = None
    try:
        response = await beginning.follow(await answer(server, request))
    except Exception as error:
        response = fault(error, "revocations")
    finally:
        if not isinstance(response, EventStream):
            beginning.give_back()
    return response


class _Beginning:
    """One request on its way to a stream. ``decide`` may run several times, and so may the transaction."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server
        # Before anything is read or written for this reader: so old is what it learns first, at most.
        self._at = server.feed.now()
        self._seat = ""
        self._opening: Opening | None = None

    async def decide(self, exchange: Exchange) -> Answer:
        await apis_of_caller(exchange)
        after, nonce = whole_number(exchange.form, "after"), exchange.form.get("nonce", "")
        if not 16 <= len(nonce) <= 64:
            raise OAuthError(
                "invalid_request",
                "nonce is missing or unfit",
                check=NONCE,
                seen=f"{len(nonce)} characters",
                expected="16 to 64 characters, new ones for each request",
            )
        installation = await self._server.registry.installation()
        if not self._seat:
            self._server.feed.seats.take(exchange.client.client.client_id)
            self._seat = exchange.client.client.client_id

        async def answer(work: UnitOfWork) -> Response:
            self._opening = None
            _check_past(exchange, after, (await work.positions()).revocation, installation)
            secret = token_format.generate(token_format.FEED_READER, installation)
            member = Member(self._seat, exchange.client.key_thumbprint, token_format.digest(secret))
            now = int(exchange.now)
            await work.feed_readers.add(
                FeedReader(member.digest, member.client_id, self._server.feed.node, after, now, now + LIFE)
            )
            await work.audit.append(_event(exchange, member, after))
            self._opening = Opening(member, after, nonce, secret, self._at)
            return json_response({})

        return answer

    async def follow(self, answered: Response) -> Response:
        """The stream, if its reader was written down; else ``answered``, which refuses."""
        opening, feed = self._opening, self._server.feed
        if opening is None or answered.status != 200:
            return answered
        stream, first, events = await feed.join(opening)
        self._server.on_event("feed_streams_begun", {})

        def close() -> None:
            feed.leave(stream)
            self.give_back()

        return EventStream(200, HEADERS, first, events, stream.end, stream.too_slow, feed.life(), close, stream.attach)

    def give_back(self) -> None:
        seat, self._seat = self._seat, ""
        if seat:
            self._server.feed.seats.give_back(seat)


def whole_number(form: Mapping[str, str], name: str) -> int:
    """A position in the form, 0 if it is absent. Raises OAuthError."""
    text = form.get(name, "0")
    if _NUMBER.fullmatch(text) is None or int(text) > _LAST:
        raise OAuthError(
            "invalid_request",
            f"{name} is unfit",
            check=POSITION,
            seen=shown(text),
            expected="a position of the log: a whole number",
        )
    return int(text)


def _check_past(exchange: Exchange, after: int, head: int, installation: str) -> None:
    """A reader that knows what never was here must not go on as if it had missed nothing."""
    known = exchange.form.get("installation", installation)
    if known == installation and after <= head:
        return
    client_id = exchange.client.client.client_id
    if known != installation:
        mend = "start the API again if the issuer was set up anew; else see which database this server has"
    else:
        mend = "the database was restored or has lost commits: run `ostiary admin new-epoch`"
    _log.error("%s has read a log that never was here (%s, %s): %s", client_id, shown(known), after, mend)
    raise OAuthError(
        UNKNOWN_POSITION,
        "the log has no such past",
        status=409,
        check=POSITION,
        seen=f"{shown(known)} at {after}",
        expected=f"{installation} at {head} or before",
        mend=mend,
    )


def _event(exchange: Exchange, member: Member, after: int) -> AuditEvent:
    return AuditEvent(
        tags.FEED_FOLLOWED,
        "allowed",
        int(exchange.now * 1000),
        actor=member.client_id,
        target=member.client_id,
        key_thumbprint=member.key_thumbprint,
        details={"after": str(after)},
    )


ENDPOINT = Endpoint(
    "revocations", "/revocations", ("POST",), handler, "ostiary_revocations_endpoint", authenticates=True
)
