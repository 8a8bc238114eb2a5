"""Certificates, told and revoked: RFC 8555 sections 7.4.2 and 7.6."""

from __future__ import annotations

from functools import partial

from cryptography import x509

from ostiary.authorization_server.endpoints.acme import answers
from ostiary.authorization_server.endpoints.acme.exchange import AcmeExchange, Answer, signed
from ostiary.authorization_server.http import Response
from ostiary.certificate_authority import issuing, subject_keys
from ostiary.certificate_authority.acme.finalizing import proof_of
from ostiary.certificate_authority.acme.problems import Problem, malformed, not_found, unauthorized
from ostiary.errors import VerificationError
from ostiary.model.certificate import Certificate, RevocationReason
from ostiary.protocol import base64url, certificate_binding, jwk_members
from ostiary.revocation.certificates import revoke_certificate
from ostiary.storage.base import UnitOfWork

PEM_CHAIN = b"application/pem-certificate-chain"
# RFC 5280 section 5.3.1; those that are of no use here are refused.
_REASONS: dict[int, RevocationReason] = {
    0: "unspecified",
    1: "keyCompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
}


async def _certificate(exchange: AcmeExchange) -> Answer:
    exchange.check_is_get()
    await exchange.server.authorities.refresh()
    return partial(_told, exchange)


async def _told(exchange: AcmeExchange, work: UnitOfWork) -> Response:
    found = await work.certificates.get(exchange.rest)
    if found is None or found.proof != proof_of(exchange.account.account_id):
        raise not_found("certificate")
    issuer = exchange.server.authorities.record(found.authority_id)
    if issuer is None:
        raise not_found("certificate")
    # The certificate first, then its issuer, without the root (section 9.1).
    chain = issuing.pem(found.certificate) + issuing.pem(issuer.certificate)
    return Response(200, answers.headers(exchange.server, PEM_CHAIN), chain)


async def _revoke(exchange: AcmeExchange) -> Answer:
    members = exchange.members()
    der, reason = members.get("certificate"), members.get("reason", 0)
    if type(reason) is not int or reason not in _REASONS:
        raise Problem("badRevocationReason", "this reason is not taken", check="reason", expected="0, 1, 3, 4 or 5")
    if not isinstance(der, str) or not der.isascii():
        raise malformed("certificate is missing", check="certificate", expected="base64url of DER")
    return partial(
        _revoked, exchange, certificate_binding.thumbprint(base64url.decode(der.encode("ascii"))), _REASONS[reason]
    )


async def _revoked(exchange: AcmeExchange, thumbprint: str, reason: RevocationReason, work: UnitOfWork) -> Response:
    found = await work.certificates.by_thumbprint(thumbprint)
    if found is None:
        raise not_found("certificate")
    await _check_may_revoke(exchange, found, work)
    if not await revoke_certificate(work, found.serial, exchange.act(), reason):
        raise Problem("alreadyRevoked", "the certificate was revoked before", check="certificate")
    return Response(200, answers.headers(exchange.server, answers.JSON), b"")


async def _check_may_revoke(exchange: AcmeExchange, found: Certificate, work: UnitOfWork) -> None:
    """The account that got it or holds "authorizations for all of the identifiers in the certificate", or the key that
    it certifies (section 7.6). Raises Problem."""
    if exchange.found is not None:
        account_id, names = exchange.account.account_id, set(found.identities)
        if found.proof == proof_of(account_id):
            return
        if not names or not names <= await work.acme_orders.proved(account_id, now=int(exchange.now)):
            raise unauthorized("the certificate is another account's", check="account")
        return
    try:
        key = subject_keys.checked(x509.load_der_x509_certificate(found.certificate).public_key())
        own = jwk_members.thumbprint(jwk_members.public_members(key))
    except VerificationError:
        own = ""
    if own != exchange.key.thumbprint:
        raise unauthorized("the request is not signed by the key of the certificate", check="key")


CERTIFICATE = signed("certificate", "/certificate/", _certificate)
REVOKE = signed("revoke_cert", "/revoke-cert", _revoke, by="either", changes_registry=True)
