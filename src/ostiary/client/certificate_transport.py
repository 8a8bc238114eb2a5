"""Transports for httpx2 whose connections show a client's certificate, each generation of it on its own connections."""

from __future__ import annotations

import httpx2

from ostiary.client.client_certificate import EXTENSION, ClientCertificate, Generation

KEPT = 2
"""Generations with connections: the one before the last may still have answers under way."""


class CertificateTransport(httpx2.BaseTransport):
    """A request that carries a bound token goes over a connection with that token's certificate."""

    def __init__(self, certificate: ClientCertificate) -> None:
        self._certificate = certificate
        self._transports: dict[str, httpx2.HTTPTransport] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send ``request``."""
        generation = _generation(request, self._certificate)
        found = self._transports.get(generation.thumbprint)
        if found is None:
            found = self._transports.setdefault(generation.thumbprint, httpx2.HTTPTransport(verify=generation.context))
            while len(self._transports) > KEPT:
                self._transports.pop(next(iter(self._transports))).close()
        return found.handle_request(request)

    def close(self) -> None:
        """Close every connection."""
        while self._transports:
            self._transports.popitem()[1].close()


class AsyncCertificateTransport(httpx2.AsyncBaseTransport):
    """The same for ``httpx2.AsyncClient``."""

    def __init__(self, certificate: ClientCertificate) -> None:
        self._certificate = certificate
        self._transports: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send ``request``."""
        generation = _generation(request, self._certificate)
        found = self._transports.get(generation.thumbprint)
        if found is None:
            found = self._transports.setdefault(
                generation.thumbprint, httpx2.AsyncHTTPTransport(verify=generation.context)
            )
            while len(self._transports) > KEPT:
                await self._transports.pop(next(iter(self._transports))).aclose()
        return await found.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        while self._transports:
            await self._transports.popitem()[1].aclose()


def _generation(request: httpx2.Request, certificate: ClientCertificate) -> Generation:
    found = request.extensions.get(EXTENSION)
    return found if isinstance(found, Generation) else certificate.current()
