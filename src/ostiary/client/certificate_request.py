"""Asks Ostiary's private CA for a certificate: RFC 2986 requests, and the three ways to show who asks.

Each function is an exchange without I/O; drive it with ``Shell().run``. Each raises TokenRequestRefused (with the
reason), Unavailable, VerificationError for an answer that is not to be trusted, ConfigurationError.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from ostiary.client import answers
from ostiary.client.assertion import ClientProof, Clock, NewJti, new_jti
from ostiary.client.authorization_server import AuthorizationServerCalls
from ostiary.client.discovery import discover, endpoint
from ostiary.client.exchange import Exchange, Question
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import algorithms, base64url, certificate_binding, certificate_key, certificate_renewal, jws
from ostiary.protocol.algorithms import PrivateKey
from ostiary.protocol.credential import Credential

_PKCS8 = serialization.PrivateFormat.PKCS8
_NAMES = {"p256": "ES256", "p384": "ES384", "ed25519": "EdDSA", "rsa3072": "PS256"}


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate and its key. Its representation hides the key.

    chain: PEM, the certificate first, then its issuers without the root; roots: PEM, what to trust.
    issuer: the authorization server that gave it. not_before, not_after: seconds since the epoch.
    """

    issuer: str
    key: PrivateKey = field(repr=False)
    chain: str = field(repr=False)
    roots: str = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate itself."""
        return x509.load_pem_x509_certificate(self.chain.encode("ascii"))

    def belongs_together(self) -> bool:
        """Whether the key is the certificate's. Raises ValueError for a chain that cannot be read."""
        return _spki(self.leaf.public_key()) == _spki(self.key.public_key())

    @property
    def thumbprint(self) -> str:
        """``x5t#S256`` (RFC 8705 section 3.1)."""
        return certificate_binding.thumbprint(self.leaf.public_bytes(serialization.Encoding.DER))

    def key_pem(self) -> bytes:
        """The private key in PKCS 8: a secret."""
        return self.key.private_bytes(serialization.Encoding.PEM, _PKCS8, serialization.NoEncryption())


def new_key(kind: str = "p256") -> PrivateKey:
    """A new private key: ``p256``, ``p384``, ``ed25519`` or ``rsa3072``. Raises ConfigurationError."""
    if kind not in _NAMES:
        raise ConfigurationError(f"There is no kind of key {kind!r}; there are: {', '.join(_NAMES)}.")
    return algorithms.generate(_NAMES[kind])


def signing_request(key: PrivateKey, encoding: serialization.Encoding = serialization.Encoding.PEM) -> bytes:
    """A certificate request, PEM or DER. It names nobody: whose the certificate is the server decides."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(encoding)


def _csr(key: PrivateKey) -> str:
    # One line, as a form takes it; the same form as in RFC 8555 section 7.4.
    return base64url.encode(signing_request(key, serialization.Encoding.DER)).decode("ascii")


def request_as_client(
    credential: Credential, key: PrivateKey, *, life: int | None = None, clock: Clock = time.time, jti: NewJti = new_jti
) -> Exchange[IssuedCertificate]:
    """A certificate that says who the client is, for its proof by key. life: seconds, None for the server's default."""
    proof = ClientProof(credential, clock=clock, jti=jti)
    metadata = yield from AuthorizationServerCalls(proof).metadata()
    form = {"csr": _csr(key)} | ({} if life is None else {"life": str(life)}) | proof.parameters()
    url = endpoint(metadata, "ostiary_certificate_endpoint")
    return (yield from _asked(Question(url, "certificate endpoint", form), credential.issuer, key))


def request_by_token(issuer: str, token: str, key: PrivateKey) -> Exchange[IssuedCertificate]:
    """The certificate that an enrolment token grants; the token is used up by it."""
    metadata = yield from discover(issuer)
    url = endpoint(metadata, "ostiary_certificate_enrolment_endpoint")
    form = {"token": token, "csr": _csr(key)}
    return (yield from _asked(Question(url, "enrolment endpoint", form), issuer, key))


def renew(
    present: IssuedCertificate, key: PrivateKey, *, clock: Clock = time.time, jti: NewJti = new_jti
) -> Exchange[IssuedCertificate]:
    """The successor of ``present``, which must still be good, for the new ``key``."""
    metadata = yield from discover(present.issuer)
    url = endpoint(metadata, "ostiary_certificate_renewal_endpoint")
    csr = _csr(key)
    payload = certificate_renewal.build(present.thumbprint, present.issuer, csr, now=clock(), jti=jti())
    proof = jws.sign(payload, certificate_key.signing_key(present.key), typ=certificate_renewal.TYP)
    return (yield from _asked(Question(url, "renewal endpoint", {"csr": csr, "proof": proof}), present.issuer, key))


def _asked(question: Question, issuer: str, key: PrivateKey) -> Exchange[IssuedCertificate]:
    members = answers.read_object(question, (yield question))
    chain, roots = members.get("certificate"), members.get("roots")
    if not isinstance(chain, str) or not isinstance(roots, str):
        raise answers.unusable(question, "certificate or roots missing", "PEM")
    made = IssuedCertificate(issuer, key, chain, roots)
    try:
        fits = made.belongs_together()
    except ValueError:
        fits = False
    if not fits:
        raise VerificationError(
            "answer", "the certificate is not for our key", seen="another key", expected="the key of the request"
        )
    return made


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
