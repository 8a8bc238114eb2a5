"""A root whose key is in a token, by its PKCS #11 URI (RFC 7512): made there, and opened to found authorities."""

from __future__ import annotations

import json

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ostiary.certificate_authority import founding, subject_keys
from ostiary.certificate_authority.ca_key import HASHES, CaPrivateKey, ca_private_key
from ostiary.certificate_authority.founding import Root
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.key_management.base import KeyToken
from ostiary.protocol import jwk_members
from ostiary.protocol.algorithms import PublicKey

_PROOF = b"ostiary: the key in the token belongs to the certificate of this root"


async def make(token: KeyToken, name: str, alg: str, now: float) -> tuple[Root, str]:
    """A new root whose key is made in ``token`` and stays there, and the URI by which ``from_token`` finds it again.

    name: the organization. now: seconds since the epoch. Raises ConfigurationError, Unavailable.
    """
    pair = await token.generate(alg)
    public = subject_keys.checked(jwk_members.public_key(json.loads(pair.public_jwk)))
    key = ca_private_key(token.signer(pair.kid, alg, pair.wrapped), public)
    return await token.run(lambda: founding.new_root(name, key, alg, now)), pair.wrapped.decode("ascii")


async def from_token(certificate: bytes, token: KeyToken, uri: str) -> Root:
    """The root of a certificate (PEM) and its key in ``token``, which may have been made by other means.

    Raises ConfigurationError: no certificate, no such key, or the key of another. Raises Unavailable.
    """
    try:
        loaded = x509.load_pem_x509_certificate(certificate)
        public = subject_keys.checked(loaded.public_key())
    except (ValueError, VerificationError) as error:
        raise ConfigurationError(f"The root's certificate cannot be read: {error}.") from None
    alg = founding.alg_of(public)
    key = ca_private_key(token.signer("root", alg, uri.encode()), public)
    try:
        await token.run(lambda: _prove(key, public, alg))
    except InvalidSignature:
        raise ConfigurationError(f"The key {uri} does not belong to the root's certificate: name its own.") from None
    return Root(loaded, key, alg)


def _prove(key: CaPrivateKey, public: PublicKey, alg: str) -> None:
    """Raises InvalidSignature: the key in the token is another."""
    hashing = HASHES[alg]
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey) and hashing:
        public.verify(key.sign(_PROOF, ec.ECDSA(hashing)), _PROOF, ec.ECDSA(hashing))
    elif isinstance(key, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey) and hashing:
        public.verify(key.sign(_PROOF, padding.PKCS1v15(), hashing), _PROOF, padding.PKCS1v15(), hashing)
    else:
        raise ConfigurationError(f"A root of {alg} is not taken from a token: use ES256, ES384 or RS256.")
