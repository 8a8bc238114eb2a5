"""Answers whether a certificate of ours is good: RFC 6960, RFC 9654 (nonces), in the form of RFC 5019.

One certificate a request. The answer comes from the database as it stands, signed by the authority that issued.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ostiary.certificate_authority import subject_keys
from ostiary.certificate_authority.authorities import Authorities, OpenAuthority
from ostiary.certificate_authority.ca_key import HASHES
from ostiary.certificate_authority.crl import reason_flag
from ostiary.certificate_authority.form import moment, serial_text
from ostiary.errors import Unavailable
from ostiary.model.certificate import Certificate

_MAX_SERIAL: Final = 1 << 160  # "up to 20 octets", RFC 5280 4.1.2.2
# RFC 5019 names issuers by SHA-1, where it has to withstand nobody: both hashes are of what everybody knows.
_ISSUER_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}  # noqa: S303


@dataclass(frozen=True, slots=True)
class Answer:
    """der: the OCSPResponse. this_update, next_update: seconds since the epoch, 0 in a refusal.

    for_one: whether it is for its asker alone (a nonce, or a refusal), so that nobody may keep it.
    """

    der: bytes
    this_update: int = 0
    next_update: int = 0
    for_one: bool = True


@dataclass(frozen=True, slots=True)
class _Asked:
    algorithm: hashes.HashAlgorithm
    name_hash: bytes
    key_hash: bytes
    serial: int
    nonce: bytes | None


class _Malformed(Exception):
    """The request is none, or asks for what must not be answered."""


async def answer(authorities: Authorities, document: bytes) -> Answer:
    """The answer to the OCSPRequest in ``document`` (DER), whatever it is. ``authorities`` are fresh."""
    try:
        asked = _parsed(document)
        authority = None if asked is None else _issuer(authorities, asked)
        if asked is None or authority is None:
            # "the responder is not capable of responding authoritatively" RFC 5019 2.2.3
            return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        async with authorities.storage.read() as work:
            found = await work.certificates.get(serial_text(asked.serial))
        return await authority.signing(partial(_signed, authorities, authority, asked, found))
    except _Malformed:
        return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    except Unavailable:
        return _refusal(ocsp.OCSPResponseStatus.TRY_LATER)


def _parsed(document: bytes) -> _Asked | None:
    """What is asked for; None if the issuer is named by a hash that nobody uses. Raises _Malformed."""
    try:
        request = ocsp.load_der_ocsp_request(document)
        nonce = _nonce(request)
        serial = request.serial_number
        if not 0 < serial < _MAX_SERIAL:
            raise _Malformed
        algorithm = _ISSUER_HASHES.get(request.hash_algorithm.name)
        if algorithm is None:
            return None
        return _Asked(algorithm, request.issuer_name_hash, request.issuer_key_hash, serial, nonce)
    except UnsupportedAlgorithm:
        return None
    # RuntimeError: what the library has not, such as requests for several certificates.
    except (ValueError, RuntimeError, x509.DuplicateExtension):
        raise _Malformed from None


def _nonce(request: ocsp.OCSPRequest) -> bytes | None:
    nonce = None
    for extension in request.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            nonce = extension.value.nonce
            # "MUST reject any OCSP request that has a nonce ... with length of either 0 octets or more than 128
            # octets, with the malformedRequest OCSPResponseStatus" RFC 9654 2.1
            if not 1 <= len(nonce) <= 128:
                raise _Malformed
        # "Unrecognized extensions MUST be ignored (unless they have the critical flag set and are not understood)."
        elif extension.critical:
            raise _Malformed
    return nonce


def _issuer(authorities: Authorities, asked: _Asked) -> OpenAuthority | None:
    now, wanted = authorities.clock(), (asked.name_hash, asked.key_hash)
    for authority in authorities.opened():
        if now < authority.record.not_after and _named(authority.record.certificate, asked.algorithm.name) == wanted:
            return authority
    return None


@lru_cache(maxsize=256)
def _named(certificate: bytes, algorithm: str) -> tuple[bytes, bytes]:
    """The issuer's name and key, hashed: RFC 6960 section 4.1.1."""
    loaded = x509.load_der_x509_certificate(certificate)
    key = subject_keys.bit_string(subject_keys.checked(loaded.public_key()))
    return _hashed(loaded.subject.public_bytes(), algorithm), _hashed(key, algorithm)


def _hashed(text: bytes, algorithm: str) -> bytes:
    digest = hashes.Hash(_ISSUER_HASHES[algorithm])
    digest.update(text)
    return digest.finalize()


def _signed(authorities: Authorities, authority: OpenAuthority, asked: _Asked, found: Certificate | None) -> Answer:
    begin = int(authorities.clock())
    end = begin + authorities.settings.certificate_authority.ocsp_life
    status, at, reason = _status(authority, found)
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        asked.name_hash,
        asked.key_hash,
        asked.serial,
        asked.algorithm,
        status,
        moment(begin),
        moment(end),
        None if at is None else moment(at),
        reason_flag(reason),
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, authority.certificate)
    if asked.nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(asked.nonce), critical=False)
    made = builder.sign(authority.key, HASHES[authority.record.alg])
    return Answer(made.public_bytes(Encoding.DER), begin, end, asked.nonce is not None)


def _status(authority: OpenAuthority, found: Certificate | None) -> tuple[ocsp.OCSPCertStatus, int | None, str]:
    # Another authority's certificate that happens to have this number is not the one that is asked for.
    if found is None or found.authority_id != authority.record.authority_id:
        return ocsp.OCSPCertStatus.UNKNOWN, None, ""
    if found.revoked_at is not None:
        return ocsp.OCSPCertStatus.REVOKED, found.revoked_at, found.reason
    if authority.record.state == "revoked":
        # Issued in the moment in which its authority was revoked: it was never good.
        return ocsp.OCSPCertStatus.REVOKED, found.issued_at, "cACompromise"
    return ocsp.OCSPCertStatus.GOOD, None, ""


def _refusal(status: ocsp.OCSPResponseStatus) -> Answer:
    return Answer(ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER))
