"""Which names an issuing CA may certify at all: RFC 5280 section 4.2.1.10, permitted subtrees only."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from cryptography import x509

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.refusal import refused


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """dns: domains, each with the names below it; networks: IPv4 and IPv6; hosts: of URIs, exactly.

    A kind of which nothing is named is not constrained.
    """

    dns: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def extension(self) -> x509.NameConstraints | None:
        """As it stands in the CA's certificate; None if nothing is constrained."""
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in self.dns]
        names += [x509.IPAddress(ipaddress.ip_network(network)) for network in self.networks]
        names += [x509.UniformResourceIdentifier(host) for host in self.hosts]
        return x509.NameConstraints(names, None) if names else None

    def check(self, identity: str) -> None:
        """Raises VerificationError (check "name_constraints")."""
        value = identities.value(identity)
        if identity.startswith("dns:"):
            permitted, allowed = self.dns, any(value == base or value.endswith(f".{base}") for base in self.dns)
        elif identity.startswith("ip:"):
            address = ipaddress.ip_address(value)
            permitted, allowed = self.networks, any(address in ipaddress.ip_network(one) for one in self.networks)
        else:
            permitted, allowed = self.hosts, identities.host_of(identity) in self.hosts
        if permitted and not allowed:
            raise refused(
                "name_constraints",
                "the issuing authority may not certify this name",
                seen=identity,
                expected=", ".join(permitted),
                mend="ask for a name within the authority's constraints (ostiary ca show), or make an authority for it",
            )


def of_certificate(certificate: x509.Certificate) -> NameConstraints:
    """The constraints in a CA's certificate."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return NameConstraints()
    names = extension.permitted_subtrees or []
    return NameConstraints(
        dns=tuple(name.value for name in names if isinstance(name, x509.DNSName)),
        networks=tuple(str(name.value) for name in names if isinstance(name, x509.IPAddress)),
        hosts=tuple(name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)),
    )
