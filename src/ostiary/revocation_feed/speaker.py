"""What one process of the issuer says to readers: pages of the log as signed messages, each a server-sent event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ostiary.model.revocation import KEPT_BEYOND_ITS_END
from ostiary.protocol import revocation_feed
from ostiary.protocol.revocation_feed import Message, Row
from ostiary.storage.base import UnitOfWork

PAGE_ROWS = 1024
"""Rows of one message: a quarter of what a reader takes, so that making one delays no other request for long."""


class Issuer(Protocol):
    """PORT: what the feed needs of the authorization server."""

    @property
    def identifier(self) -> str:
        """The issuer identifier."""
        ...

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def sign(self, payload: bytes) -> bytes:
        """``payload`` as a JWS of the feed's type, by a key that the JWKS names. Raises Unavailable."""
        ...

    async def installation(self) -> str:
        """The six characters that name this installation."""
        ...

    async def refresh(self) -> None:
        """Take in what was changed in the registry, signing keys among it. Raises Unavailable."""
        ...

    async def admits(self, client_id: str, key_thumbprint: str) -> bool:
        """Whether the identity of an API that has proved itself by this key could still do so."""
        ...

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Count an event."""
        ...


class Page(NamedTuple):
    """Every row above ``start`` up to ``end`` that can still concern a token."""

    start: int
    end: int
    rows: tuple[Row, ...] = ()


async def read_page(work: UnitOfWork, start: int, upto: int, now: float) -> Page:
    """The first page of the rows above ``start`` up to ``upto``, a position that the log has reached."""
    found = await work.revocations.since(start, limit=PAGE_ROWS)
    end = upto if len(found) < PAGE_ROWS else min(found[-1].position, upto)
    return Page(
        start,
        end,
        tuple(
            Row(row.position, row.kind, row.value, row.expires_at)
            for row in found
            # One that is over even by slow clocks, and that nobody has deleted yet, concerns nobody.
            if row.position <= end and row.expires_at + KEPT_BEYOND_ITS_END > now
        ),
    )


class Speaker:
    """Makes the messages of one process; ``node`` names it to readers."""

    def __init__(self, issuer: Issuer, node: str) -> None:
        self._issuer = issuer
        self._node = node
        self._installation = ""

    async def get_ready(self) -> None:
        """Learn the name of the installation; before the first message."""
        self._installation = self._installation or await self._issuer.installation()

    def event(self, page: Page, *, at: int, head: int, nonce: str | None = None, secret: str | None = None) -> bytes:
        """``page`` as an event. at: milliseconds of this process's steady clock, from before the log was read.

        head: where the log stood then. nonce, secret: of the reader, in the first message of an answer.
        """
        message = Message(
            iss=self._issuer.identifier,
            installation=self._installation,
            node=self._node,
            at=at,
            iat=int(self._issuer.now()),
            start=page.start,
            end=page.end,
            head=head,
            rows=page.rows,
            nonce=nonce,
            reader=secret,
        )
        return b"data: %b\n\n" % self._issuer.sign(revocation_feed.build(message))
