"""The key of a certificate as a key for JWS: an EC or Ed25519 key by its one algorithm, an RSA key by PS256."""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ostiary.protocol.algorithms import PrivateKey
from ostiary.protocol.jwk import SigningKey, VerificationKey, parse_private_key, parse_public_key

RSA_ALG: Final = "PS256"
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def verification_key(certificate: x509.Certificate) -> VerificationKey:
    """What verifies signatures by the certificate's key. Raises VerificationError("key")."""
    public = certificate.public_key()
    alg = RSA_ALG if isinstance(public, rsa.RSAPublicKey) else None
    return parse_public_key(public.public_bytes(serialization.Encoding.PEM, _SPKI), alg=alg)


def signing_key(private: PrivateKey) -> SigningKey:
    """What signs by the private key of a certificate. Raises VerificationError("key")."""
    alg = RSA_ALG if isinstance(private, rsa.RSAPrivateKey) else None
    form = serialization.PrivateFormat.PKCS8
    pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return parse_private_key(pem, alg=alg)
