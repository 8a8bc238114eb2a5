"""The end of an order: the request for the certificate is compared with what was proved (RFC 8555 section 7.4)."""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from ostiary.certificate_authority import identities, signing_request
from ostiary.certificate_authority.acme.problems import Problem, malformed, of_verification
from ostiary.certificate_authority.issuing import Wanted
from ostiary.certificate_authority.profiles import PROFILES
from ostiary.errors import VerificationError
from ostiary.model.acme import AcmeAccount, AcmeOrder
from ostiary.protocol import base64url, jwk_members
from ostiary.protocol.algorithms import PublicKey

ACME: Final = "acme:"


def wanted(order: AcmeOrder, account: AcmeAccount, csr: object, now: int) -> Wanted:
    """The certificate of an order, after its request was looked at; csr: base64url of DER. Raises Problem."""
    try:
        request = signing_request.parse(_der(csr))
        names = _names(request)
        signing_request.check_asks_for_no_more(request, order.identifiers)
        key = signing_request.public_key(request)
    except VerificationError as error:
        raise of_verification(error, "badPublicKey" if error.check == "key" else "badCSR") from None
    # "The CSR MUST indicate the exact same set of requested identifiers as the initial newOrder request" (7.4)
    if names != set(order.identifiers):
        raise Problem(
            "badCSR",
            "the request is for other names than the order",
            check="csr",
            seen=", ".join(sorted(names)),
            expected=", ".join(order.identifiers),
            mend="ask for exactly the names of the order",
        )
    _check_key(key, account)
    return Wanted(
        PROFILES["server"],
        order.identifiers,
        key,
        account.owner,
        proof_of(account.account_id),
        life=None if order.not_after is None else order.not_after - now,
    )


def proof_of(account_id: str) -> str:
    """How the inventory names an account that proved its names."""
    return f"{ACME}{account_id}"


def _der(csr: object) -> bytes:
    if not isinstance(csr, str) or not csr.isascii():
        raise malformed("csr is missing", check="csr", expected="base64url of a PKCS 10 request in DER")
    return base64url.decode(csr.encode("ascii"))


def _names(request: x509.CertificateSigningRequest) -> set[str]:
    """The identifiers in the common name, in the subjectAltName extension, or in both (section 7.4)."""
    common = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return {*signing_request.names_in(request), *(identities.parse(str(one.value)) for one in common)}


def _check_key(key: PublicKey, account: AcmeAccount) -> None:
    # Whoever runs a server must not thereby hold the key of the account (RFC 8555 section 11.1).
    if jwk_members.thumbprint(jwk_members.public_members(key)) == account.thumbprint:
        raise Problem("badPublicKey", "the key is the account's own", check="key", expected="a key of its own")
