"""A network backend that connects to addresses checked beforehand, whatever name it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import httpcore2

from ostiary.fetching.addresses import Address

MAX_TRIED = 4


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Nothing is resolved here, so a second answer of a resolver (DNS rebinding) cannot move the connection."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(addresses[:MAX_TRIED])
        self._network: httpcore2.AsyncNetworkBackend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first of the addresses that answers; ``host`` is only for TLS and ``Host``."""
        failure: Exception = httpcore2.ConnectError("no address")
        for address in self._addresses:
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
