"""Issuing: the profile decides, the authority signs, what was signed is checked again, then it is written, then given.

``prepare`` works outside the transaction and leaves nothing behind: what it signed exists for nobody until ``record``
has committed it. So a crash in between loses a certificate that nobody has, and no serial number is given twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.audit import tags
from ostiary.certificate_authority import form, subject_keys
from ostiary.certificate_authority.authorities import Authorities, OpenAuthority
from ostiary.certificate_authority.ca_key import HASHES
from ostiary.certificate_authority.name_constraints import check_uri
from ostiary.certificate_authority.profiles import Profile
from ostiary.certificate_authority.recheck import recheck
from ostiary.certificate_authority.refusal import refused
from ostiary.model.certificate import Certificate
from ostiary.protocol import certificate_binding
from ostiary.protocol.algorithms import PublicKey
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork

KEPT_AFTER_THE_END: Final = 30 * 86_400
"""Seconds for which a row stays after its certificate has expired, for whoever asks what it was."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate that somebody may have: everything about who asks was decided before.

    identities: in their one spelling (``identities.parse``). life: seconds, None for the profile's default.
    common_name: for people, "" for none. owner, client_id, proof: for the inventory (model/certificate.py).
    """

    profile: Profile
    identities: tuple[str, ...]
    public_key: PublicKey
    owner: str
    proof: str
    client_id: str = ""
    common_name: str = ""
    life: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A certificate that was signed and checked, and that nobody has yet. issuer: the authority's certificate."""

    record: Certificate
    issuer: bytes

    def chain_pem(self) -> bytes:
        """The certificate and its issuer, without the root, as servers and clients present it."""
        return pem(self.record.certificate) + pem(self.issuer)


async def prepare(authorities: Authorities, wanted: Wanted, now: float) -> Prepared:
    """Decide, sign, check again; signing leaves the event loop if the key is in a token, which takes its time.

    Raises VerificationError (what is wanted), Unavailable, ConfigurationError (no CA).
    """
    wanted.profile.check(wanted.identities)
    authority = authorities.issuing()
    check_names(authorities, authority, wanted.identities)
    life = wanted.profile.life(authorities.settings.certificate_authority, wanted.life)
    made = await authority.signing(partial(_signed, authorities, authority, wanted, math.floor(now), life))
    return Prepared(_record(made, authority, wanted, math.floor(now)), authority.record.certificate)


def check_names(authorities: Authorities, authority: OpenAuthority, names: Sequence[str]) -> None:
    """Whether this authority may certify these names. Raises VerificationError (check "name_constraints")."""
    for identity in names:
        authority.constraints.check(identity)
        check_uri(authorities.settings, identity)


async def check(work: UnitOfWork, prepared: Prepared) -> None:
    """Whether what was prepared may still be given. Raises VerificationError.

    The authority may issue no more since, or the key be somebody else's or compromised.
    """
    new = prepared.record
    await work.positions()  # held until the commit: whoever ends the authority waits, or was faster and is seen here
    authorities = {one.authority_id: one for one in await work.authorities.list()}
    if authorities[new.authority_id].state != "active":
        raise refused(
            "authority",
            "the authority issues no more",
            seen=authorities[new.authority_id].state,
            expected="active",
            mend="try again: another authority takes its place",
        )
    for other in await work.certificates.of_key(new.key_thumbprint):
        if other.reason == "keyCompromise":
            raise refused("key", "this key was compromised", expected="a new key", mend="make a new key")
        if (other.client_id, other.owner) != (new.client_id, new.owner):
            # Not told whose it is: nobody may find out by trying.
            raise refused(
                "key",
                "this key cannot be certified",
                seen="a key of somebody else's certificate",
                expected="a key of your own",
                mend="make a new key",
            )


async def record(work: UnitOfWork, prepared: Prepared, act: Act) -> None:
    """Write what was prepared, in the transaction of the answer; from its commit on the certificate exists.

    Raises what ``check`` raises, before anything is written.
    """
    await check(work, prepared)
    new = prepared.record
    await work.certificates.add(new)
    await work.audit.append(
        act.event(
            tags.CERTIFICATE_ISSUED,
            new.client_id or new.owner,
            serial=new.serial,
            profile=new.profile,
            names=", ".join(new.identities),
            thumbprint=new.thumbprint,
            authority=new.authority_id,
            not_after=str(new.not_after),
            proof=new.proof,
        )
    )


def pem(der: bytes) -> bytes:
    """A certificate in PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _signed(
    authorities: Authorities, authority: OpenAuthority, wanted: Wanted, now: int, life: int
) -> x509.Certificate:
    meant = form.CertificateForm(
        serial=form.new_serial(),
        profile=wanted.profile,
        identities=wanted.identities,
        public_key=wanted.public_key,
        common_name=wanted.common_name,
        not_before=max(now - form.BACKDATED, authority.record.not_before),
        # Nothing outlives its issuer.
        not_after=min(now + life, authority.record.not_after),
    )
    urls = authorities.urls(authority.record.authority_id)
    signed = meant.builder(authority.certificate, urls).sign(authority.key, HASHES[authority.record.alg])
    return recheck(signed.public_bytes(Encoding.DER), meant, authority.certificate, urls)


def _record(made: x509.Certificate, authority: OpenAuthority, wanted: Wanted, now: int) -> Certificate:
    der = made.public_bytes(Encoding.DER)
    not_after = int(made.not_valid_after_utc.timestamp())
    return Certificate(
        serial=form.serial_text(made.serial_number),
        authority_id=authority.record.authority_id,
        profile=wanted.profile.name,
        owner=wanted.owner,
        client_id=wanted.client_id,
        identities=wanted.identities,
        thumbprint=certificate_binding.thumbprint(der),
        key_thumbprint=subject_keys.thumbprint(wanted.public_key),
        certificate=der,
        proof=wanted.proof,
        not_before=int(made.not_valid_before_utc.timestamp()),
        not_after=not_after,
        issued_at=now,
        expires_at=not_after + KEPT_AFTER_THE_END,
    )
