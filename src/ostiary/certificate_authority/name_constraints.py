"""Which names an issuing CA may certify at all: RFC 5280 section 4.2.1.10."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.refusal import refused
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.settings import Settings

_EVERY_ADDRESS = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """dns: domains, each with the names below it; networks: IPv4 and IPv6; hosts: of URIs, exactly.

    A kind of which nothing is named is not constrained, but for addresses: a CA for domains alone certifies none, else
    whoever had its key could pose as any address.
    """

    dns: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def extension(self) -> x509.NameConstraints | None:
        """As it stands in the CA's certificate; None if nothing is constrained."""
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in self.dns]
        names += [x509.IPAddress(ipaddress.ip_network(network)) for network in self.networks]
        names += [x509.UniformResourceIdentifier(host) for host in self.hosts]
        excluded = [x509.IPAddress(network) for network in _EVERY_ADDRESS] if self._excludes_addresses else None
        return x509.NameConstraints(names, excluded) if names else None

    @property
    def _excludes_addresses(self) -> bool:
        return bool(self.dns) and not self.networks

    def told(self) -> list[str]:
        """Each with its kind, for people."""
        networks = ("none",) if self._excludes_addresses else self.networks
        kinds = (("dns", self.dns), ("ip", networks), ("uri", self.hosts))
        return [f"{kind}:{one}" for kind, permitted in kinds for one in permitted]

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
        excluded = identity.startswith("ip:") and self._excludes_addresses
        if excluded or (permitted and not allowed):
            raise refused(
                "name_constraints",
                "the issuing authority may not certify this name",
                seen=identity,
                expected="no address" if excluded else ", ".join(permitted),
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


def checked(dns: Sequence[str], networks: Sequence[str]) -> NameConstraints:
    """The constraints that an operator asks for. Raises ConfigurationError.

    URIs are left unconstrained: pyca/cryptography, by which we and other Python programs verify clients, takes no chain
    with such a constraint. Which URIs are certified ``check_uri`` decides at each issuance.
    """
    try:
        found = [str(ipaddress.ip_network(network)) for network in networks]
    except ValueError:
        raise ConfigurationError("--permit-network is a network, such as 10.0.0.0/8 or fd00::/8") from None
    try:
        names = [identities.value(identities.dns(name.removeprefix("."))) for name in dns]
    except VerificationError as error:
        raise ConfigurationError(f"--permit-dns {error.seen!r} is no domain, such as example.com") from None
    return NameConstraints(tuple(names), tuple(found))


def check_uri(settings: Settings, identity: str) -> None:
    """A SPIFFE ID is of our trust domain, any other URI of our issuer's host. Raises VerificationError.

    The check is "name_constraints", as where the authority's certificate forbids a name.
    """
    if not identity.startswith("uri:"):
        return
    if identity.startswith("uri:spiffe:"):
        permitted, setting = settings.certificate_authority.trust_domain, "certificate_authority.trust_domain"
    else:
        permitted, setting = urlsplit(settings.issuer).hostname, "issuer"
    if not permitted or identities.host_of(identity) != permitted:
        raise refused(
            "name_constraints",
            "this installation may not certify this name",
            seen=identity,
            expected=permitted or "no SPIFFE ID",
            mend=f"ask for a name of its own, or set {setting}",
        )
