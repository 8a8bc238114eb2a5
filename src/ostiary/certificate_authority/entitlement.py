"""Who may have which certificate: what a profile, a client and names come to, before a key is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.issuing import Wanted
from ostiary.certificate_authority.profiles import profile_of
from ostiary.certificate_authority.refusal import refused
from ostiary.certificate_authority.signing_request import check_asks_for_no_more, parse, public_key
from ostiary.model.certificate import Certificate
from ostiary.settings.certificate_authority import CertificateAuthoritySettings, Lives


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A certificate that somebody may have, whatever its key. Its members are those of ``issuing.Wanted``."""

    profile: str
    identities: tuple[str, ...]
    owner: str
    client_id: str = ""
    life: int | None = None

    def wanted(self, csr: bytes, proof: str) -> Wanted:
        """For the key in this request, which may ask for nothing else. Raises VerificationError."""
        request = parse(csr)
        check_asks_for_no_more(request, self.identities)
        return Wanted(
            profile=profile_of(self.profile),
            identities=self.identities,
            public_key=public_key(request),
            owner=self.owner,
            proof=proof,
            client_id=self.client_id,
            common_name=self.common_name(),
            life=self.life,
        )

    def common_name(self) -> str:
        """For people: the client's id, or the first host; a workload has none."""
        if self.profile == "workload":
            return ""
        return self.client_id or identities.value(self.identities[0])

    def to_json(self) -> str:
        """As a one-time artifact keeps it."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Entitlement:
        """The reverse of ``to_json``."""
        return msgspec.json.decode(text, type=cls)


def entitlement(
    issuer: str, profile: str, names: Sequence[str], *, client_id: str = "", owner: str = "", life: int | None = None
) -> Entitlement:
    """What an operator grants. A client is named by its id, everything else by ``names``. Raises VerificationError."""
    profile_of(profile)
    found = tuple(identities.parse(name) for name in names)
    if profile == "client":
        if not client_id:
            raise refused("client", "whose certificate is it?", expected="a client_id", mend="name a client")
        own = identities.of_client(issuer, client_id)
        if set(found) - {own}:
            raise refused("identity", "a client is named by its id alone", seen=", ".join(found), expected=own)
        found = (own,)
    if not found:
        raise refused("identity", "no name is given", expected="a host, an address or a URI", mend="say what it is for")
    profile_of(profile).check(found)
    return Entitlement(profile, found, owner or client_id or identities.value(found[0]), client_id, life)


def of_successor(present: Certificate, settings: CertificateAuthoritySettings, *, issuer_ends: int) -> Entitlement:
    """What the renewal of ``present`` gives: the same names, the same holder, and as long a life as it was given.

    A life that is longer than its profile allows by now becomes the longest allowed. One that the end of the issuer cut
    short (issuer_ends: seconds since the epoch) says nothing: the next one has the profile's.
    """
    given = present.not_after - present.issued_at
    lives: Lives = getattr(settings, profile_of(present.profile).name)
    life = None if present.not_after >= issuer_ends else min(given, lives.max_life)
    return Entitlement(present.profile, present.identities, present.owner, present.client_id, life)
