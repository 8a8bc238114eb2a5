"""Where a validation may connect to: addresses in the networks that the operator named, each name looked up once.

Others choose whom the server asks here, and must not thereby choose what it can reach. A name is resolved once and
the connection pinned to what came of it, so that a second answer (DNS rebinding) moves nothing. A network wider than
/8 (IPv6: /7) stands for the public addresses in it alone: ``0.0.0.0/0`` never covers this machine or its neighbours.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.acme.validation.failure import ChallengeFailed
from ostiary.fetching.addresses import Address, Network, special_use
from ostiary.settings.acme import AcmeSettings

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

_WIDEST: Final = {4: 8, 6: 7}
_MAX_ADDRESSES = 16


@dataclass(frozen=True, slots=True)
class Reach:
    """networks: where connections may go. dns: whom to ask for names, None for the system's resolver."""

    networks: tuple[Network, ...]
    http_port: int
    tls_port: int
    dns: tuple[str, int] | None
    timeout: float

    @classmethod
    def of(cls, settings: AcmeSettings) -> Reach:
        """What the settings allow."""
        networks = tuple(map(ipaddress.ip_network, settings.allow_networks))
        return cls(networks, settings.http_port, settings.tls_port, settings.dns_address(), settings.validation_timeout)

    async def addresses(self, identifier: str) -> list[Address]:
        """Where an identifier (``dns:`` or ``ip:``) is served. Raises ChallengeFailed."""
        if not self.networks:
            raise ChallengeFailed(
                "connection",
                "this server may connect nowhere: the operator has to name networks in acme.allow_networks",
                again=False,
            )
        host = identities.value(identifier)
        found = [ipaddress.ip_address(host)] if identifier.startswith("ip:") else await self._resolved(host)
        for address in found:  # one bad address among good ones is an attempt, not an accident
            if not self._allows(address):
                raise ChallengeFailed(
                    "connection",
                    f"{host} has the address {address}, which this server may not connect to: the operator allows"
                    " networks in acme.allow_networks",
                    again=False,
                )
        return found

    async def texts(self, name: str) -> list[bytes]:
        """The TXT records of ``name``, each in one piece. Raises ChallengeFailed."""
        try:
            answer = await self._resolver().resolve(name, "TXT", lifetime=self.timeout)
        except _no_answer() as error:
            raise ChallengeFailed("dns", f"{name} has no TXT record: {type(error).__name__}") from None
        return [b"".join(record.strings) for record in answer]

    def _allows(self, address: Address) -> bool:
        special = special_use(address) is not None
        return any(
            address.version == network.version
            and address in network
            and not (special and network.prefixlen < _WIDEST[network.version])
            for network in self.networks
        )

    async def _resolved(self, host: str) -> list[Address]:
        try:
            texts = await (_of_the_system(host) if self.dns is None else self._asked(host))
            found = list(dict.fromkeys(map(ipaddress.ip_address, texts)))
        except _no_answer() as error:
            raise ChallengeFailed("dns", f"{host} has no address: {type(error).__name__}") from None
        except ValueError:
            raise ChallengeFailed("dns", f"{host} resolves to something that is no address") from None
        if not 0 < len(found) <= _MAX_ADDRESSES:
            raise ChallengeFailed("dns", f"{host} has {len(found)} addresses")
        return found

    async def _asked(self, host: str) -> Sequence[str]:
        from dns.resolver import NoAnswer

        resolver, found = self._resolver(), []
        for kind in ("A", "AAAA"):
            try:
                answer = await resolver.resolve(host, kind, lifetime=self.timeout)
            except NoAnswer:
                continue
            found += [record.address for record in answer]
        return found

    def _resolver(self) -> Resolver:
        # Imported late: an installation that validates nothing need not hold the library's 3 MB.
        from dns.asyncresolver import Resolver

        resolver = Resolver(configure=self.dns is None)
        if self.dns is not None:
            resolver.nameservers, resolver.port = [self.dns[0]], self.dns[1]
        resolver.cache = None  # what stands there now counts
        return resolver


def _no_answer() -> tuple[type[Exception], ...]:
    from dns.exception import DNSException

    return DNSException, OSError


async def _of_the_system(host: str) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
