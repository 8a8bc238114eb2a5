"""Profiles: every field of a certificate but its names, its key and its times within bounds. One line a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID

from ostiary.certificate_authority.refusal import refused
from ostiary.settings.certificate_authority import CertificateAuthoritySettings, Lives

SPIFFE: Final = "uri:spiffe://"


@dataclass(frozen=True, slots=True)
class Profile:
    """name: as it is asked for; usages: extended key usage; kinds: what identities may begin with.

    spiffe: whether one of them must be a SPIFFE ID (exactly one: X.509-SVID section 2) or none may be.
    """

    name: str
    usages: tuple[ObjectIdentifier, ...]
    kinds: tuple[str, ...]
    spiffe: bool = False

    def check(self, identities: Sequence[str]) -> None:
        """Whether these names fit the profile. Raises VerificationError (check "profile")."""
        ids = [one for one in identities if one.startswith(SPIFFE)]
        if not identities or not all(one.startswith(self.kinds) for one in identities):
            expected = "at least one of: " + ", ".join(self.kinds)
            raise refused(
                "profile",
                f"the profile {self.name} does not take these names",
                expected=expected,
                seen=", ".join(identities),
            )
        if len(ids) != self.spiffe:
            expected = "exactly one SPIFFE ID" if self.spiffe else "no SPIFFE ID"
            raise refused("profile", "the SPIFFE IDs do not fit", seen=f"{len(ids)} of them", expected=expected)
        if len(set(identities)) != len(identities):
            raise refused("profile", "a name is repeated", seen=", ".join(identities), expected="each name once")

    def life(self, settings: CertificateAuthoritySettings, wanted: int | None) -> int:
        """Seconds; ``wanted`` within the bounds, or the default. Raises VerificationError (check "life")."""
        lives: Lives = getattr(settings, self.name)
        if wanted is None:
            return lives.life
        if not 0 < wanted <= lives.max_life:
            raise refused(
                "life",
                "the certificate would live too long" if wanted > 0 else "the certificate would not live",
                seen=f"{wanted} s",
                expected=f"1 to {lives.max_life} s",
                mend=f"ask for less, or let the operator raise certificate_authority.{self.name}.max_life",
            )
        return wanted


PROFILES: Final[dict[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile("server", (ExtendedKeyUsageOID.SERVER_AUTH,), ("dns:", "ip:")),
        Profile("client", (ExtendedKeyUsageOID.CLIENT_AUTH,), ("uri:https://", "uri:http://")),
        Profile(
            "workload",
            (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
            (SPIFFE, "dns:"),
            spiffe=True,
        ),
    )
}


def profile_of(name: str) -> Profile:
    """The profile of this name. Raises VerificationError (check "profile")."""
    try:
        return PROFILES[name]
    except KeyError:
        raise refused("profile", "there is no such profile", seen=name, expected=", ".join(PROFILES)) from None
