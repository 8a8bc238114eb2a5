"""The revocation feed of an authorization server: its hub, and what the hub needs to know of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ostiary.protocol import jws, revocation_feed
from ostiary.revocation_feed.hub import Hub
from ostiary.revocation_feed.seats import Seats

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


def hub_of(server: AuthorizationServer) -> Hub:
    """The hub of this process."""
    settings = server.settings.revocation_feed
    seats = Seats(server.settings.max_streams, settings.max_streams_per_api)
    return Hub(server.storage, server.wake_ups, _Issuer(server), settings, seats)


class _Issuer:
    """``revocation_feed.speaker.Issuer`` of the server."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server
        self._alg = server.settings.keys.algorithms[0]

    @property
    def identifier(self) -> str:
        return self._server.issuer

    def now(self) -> float:
        return self._server.clock()

    def sign(self, payload: bytes) -> bytes:
        signer = self._server.signing_keys.current(self._alg)
        return jws.sign(payload, signer, typ=revocation_feed.TYP).encode("ascii")

    async def installation(self) -> str:
        return await self._server.registry.installation()

    async def refresh(self) -> None:
        await self._server.registry.current()

    async def admits(self, client_id: str, key_thumbprint: str) -> bool:
        """Whether client, API and key stand as they did when the client authenticated."""
        registry = self._server.registry
        client = await registry.client(client_id)
        if client is None or client.state != "active":
            return False
        if not any(api.state == "active" for api in await registry.apis_of(client_id)):
            return False
        return not key_thumbprint or await self._proves(client_id, key_thumbprint)

    async def _proves(self, client_id: str, thumbprint: str) -> bool:
        for key in await self._server.registry.client_keys(client_id):
            if key.record.thumbprint == thumbprint:
                return key.record.state == "active"
        # It is published by the client, or a certificate of an authority.
        if await self._server.registry.revoked_key(thumbprint) is not None:
            return False
        async with self._server.storage.read() as work:
            certificate = await work.certificates.by_thumbprint(thumbprint)
        return certificate is None or certificate.revoked_at is None

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        self._server.on_event(name, labels)
