"""Certificate revocation lists: what an authority says of those that it issued and that are good no more.

RFC 5280 section 5. A list is complete for its authority and has no issuing distribution point: that would name a URL
which every certificate issued before must name too, and the operator may move the lists (``public_url``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.certificate_authority import founding, subject_keys
from ostiary.certificate_authority.ca_key import HASHES, CaPrivateKey
from ostiary.certificate_authority.form import authority_key, moment
from ostiary.certificate_authority.founding import ISSUING_LIFE, Root
from ostiary.errors import Unavailable
from ostiary.model.certificate import RevocationReason
from ostiary.model.certificate_authority import RevocationList

ROOT_LIST_LIFE: Final = ISSUING_LIFE
"""Seconds for which a root's list is good: as long as the CA that is made with it, after which the root is needed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate that was revoked. at: seconds since the epoch."""

    serial: int
    at: int
    reason: RevocationReason = "unspecified"


def signed(
    issuer: x509.Certificate, key: CaPrivateKey, alg: str, entries: Iterable[Entry], number: int, begin: int, life: int
) -> RevocationList:
    """A list by ``issuer``, good for ``life`` seconds from ``begin``. Raises Unavailable: the signature is broken."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(moment(begin))
        .next_update(moment(begin + life))
        # "Conforming CRL issuers are REQUIRED to include the authority key identifier ... and the CRL number" 5.2
        .add_extension(authority_key(issuer), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(_revoked(entry))
    made = builder.sign(key, HASHES[alg])
    # As with certificates: what was signed is checked before it leaves.
    if not made.is_signature_valid(subject_keys.checked(issuer.public_key())):
        raise Unavailable("certificate authority", "the signature of a revocation list is broken")
    authority_id = founding.authority_id(subject_keys.checked(issuer.public_key()))
    return RevocationList(authority_id, number, made.public_bytes(Encoding.DER), begin, begin + life)


def root_crl(
    root: Root, revoked: Iterable[Entry], number: int, now: float, life: int = ROOT_LIST_LIFE
) -> RevocationList:
    """A root's list of the issuing CAs that were revoked, while the root's key is at hand.

    number: higher than that of the list before. now: seconds since the epoch; life: seconds. Raises Unavailable.
    """
    return signed(root.certificate, root.key, root.alg, revoked, number, int(now), life)


def next_number(last: RevocationList | None, now: int) -> int:
    """The number of the list after ``last``: "monotonically increasing" (section 5.2.3), also after a restored backup.

    It is the time, so that it passes numbers that were given since the backup and that the database forgot.
    """
    return now if last is None else max(last.number + 1, now)


def entries_of(made: RevocationList | None) -> list[Entry]:
    """What a list names; nothing where there is none."""
    if made is None:
        return []
    return [
        Entry(one.serial_number, int(one.revocation_date_utc.timestamp()), _reason(one))
        for one in x509.load_der_x509_crl(made.crl)
    ]


def reason_flag(reason: str) -> x509.ReasonFlags | None:
    """The reason as it is signed; None for "unspecified"."""
    # "the reason code CRL entry extension SHOULD be absent instead of using the unspecified (0) reasonCode value" 5.3.1
    return None if reason in ("", "unspecified") else x509.ReasonFlags(reason)


def _revoked(entry: Entry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(moment(entry.at))
    flag = reason_flag(entry.reason)
    return (builder if flag is None else builder.add_extension(x509.CRLReason(flag), critical=False)).build()


def _reason(entry: x509.RevokedCertificate) -> RevocationReason:
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return "unspecified"
    return cast(RevocationReason, flag.value)
