"""Our own CA among those who may name clients, and what it revoked: RFC 8705 section 7.4, RFC 5280 section 6.

A certificate of our own CA is good only if the inventory knows it and neither it nor its authority was revoked. What
bears our CA's name and was never given out proves nobody: somebody else signs by that key, or there was a restoration.

Its path is two certificates that are known beforehand, so it is walked here; what verifies the paths of others does not
know name constraints on URIs, which ours have, nor Ed25519.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ostiary.authorization_server.client_trust import Authorities, ClientTrust
from ostiary.certificate_authority import identities, name_constraints
from ostiary.certificate_authority.authorities import Authorities as OwnAuthorities
from ostiary.errors import VerificationError
from ostiary.model.certificate_authority import Authority
from ostiary.protocol.certificate import Certificate

_REMEMBERED = 10_000


class WithOwnAuthorities:
    """``configured`` and our own CA, if there is one; implements ``ClientTrust``.

    A revocation counts with the next use: it raises the registry's position, and what was found good is forgotten then.
    """

    def __init__(self, configured: ClientTrust, own: OwnAuthorities) -> None:
        self._configured = configured
        self._own = own
        self._records: tuple[Authority, ...] = ()
        self._loaded: dict[str, x509.Certificate] = {}
        self._position = -1
        self._good: set[str] = set()
        self._pairs: dict[tuple[str, str], bool] = {}
        self._chained: dict[str, bool] = {}

    async def authorities(self) -> Authorities:
        """The configured ones."""
        return await self._configured.authorities()

    async def issued_here(self, certificate: Certificate, now: float) -> bool:
        """Whether an authority of ours, good at ``now``, signed it within its constraints. Raises Unavailable."""
        await self._own.refresh()
        self._load()
        roots = [one for one in self._own.roots() if one.not_before <= now < one.not_after]
        above = [one for one in self._own.intermediates() if one.not_before <= now < one.not_after]
        return any(self._issued(certificate, one) and self._below(one, roots) for one in above)

    async def revoked(self, certificate: Certificate) -> bool:
        """Whether it is of our CA and not good any more, or says so and is not."""
        positions = await self._own.storage.positions()
        await self._own.refresh(positions)
        self._load()
        # Of revoked authorities too: what those signed is known for ours, and refused.
        if all(certificate.parsed.issuer != one.subject for one in self._loaded.values()):
            return await self._configured.revoked(certificate)
        if positions.registry != self._position or len(self._good) >= _REMEMBERED:
            self._position, self._good = positions.registry, set()
        good = self._good  # of this position: who comes back late adds nothing to those of a later one
        if certificate.thumbprint in good:
            return False
        async with self._own.storage.read() as work:
            found = await work.certificates.by_thumbprint(certificate.thumbprint)
        authority = None if found is None else self._own.record(found.authority_id)
        if found is None or found.revoked_at is not None or authority is None or authority.state == "revoked":
            return True
        good.add(certificate.thumbprint)
        return False

    def _load(self) -> None:
        records = self._own.records()
        if records is not self._records:
            self._loaded = {one.authority_id: x509.load_der_x509_certificate(one.certificate) for one in records}
            self._records = records
            self._pairs, self._chained = {}, {}

    # Signatures and constraints of two certificates are what they are and looked at once; what changes (periods,
    # revocations, the authorities themselves) is asked each time.

    def _issued(self, certificate: Certificate, authority: Authority) -> bool:
        pair = (certificate.thumbprint, authority.authority_id)
        if pair not in self._pairs:
            if len(self._pairs) >= _REMEMBERED:
                self._pairs.clear()
            self._pairs[pair] = self._vouches(authority, certificate)
        return self._pairs[pair]

    def _vouches(self, authority: Authority, certificate: Certificate) -> bool:
        issuer = self._loaded[authority.authority_id]
        if certificate.parsed.issuer != issuer.subject or not _signed(certificate.parsed, issuer):
            return False
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            for identity in identities.of_general_names(names):
                name_constraints.of_certificate(issuer).check(identity)
        except (x509.ExtensionNotFound, VerificationError):
            return False
        return True

    def _below(self, authority: Authority, roots: list[Authority]) -> bool:
        if all(one.authority_id != authority.parent for one in roots):
            return False
        known = authority.authority_id
        if known not in self._chained:
            self._chained[known] = _signed(self._loaded[known], self._loaded[authority.parent])
        return self._chained[known]


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
