"""Key pairs made in a token, with the attributes that keep the private half there: PKCS #11 3.1 sections 4.8, 4.9."""

from __future__ import annotations

from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ostiary.errors import ConfigurationError
from ostiary.extras import missing_extra

try:
    from pkcs11 import Attribute, KeyType, Mechanism, PrivateKey, PublicKey, Session
    from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
except ImportError as error:
    raise missing_extra("pkcs11", error) from error

KINDS: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "RS256": ""}
"""The algorithms that keys are made for in a token, and the curves of those that have one."""

_RSA_BITS = 3072
_KEPT: Final[dict[Attribute, Any]] = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True,
}


def generated(session: Session, alg: str, key_id: bytes, label: str) -> bytes:
    """The public half, PEM, of a key pair that was just made in the token under ``key_id``.

    Raises ConfigurationError: what came out could be taken out of the token, so it was destroyed.
    """
    public, private = _pair(session, alg, key_id, label)
    # Some tokens ignore what they do not support; what they made is asked, not what was asked for.
    if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE] or not private[Attribute.LOCAL]:
        private.destroy()
        public.destroy()
        raise ConfigurationError(
            "The token makes keys that can be taken out of it: use another, or set it up to keep them."
        )
    return public_pem(public)


def _pair(session: Session, alg: str, key_id: bytes, label: str) -> tuple[PublicKey, PrivateKey]:
    if KINDS[alg]:
        curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(KINDS[alg])}
        parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
        return parameters.generate_keypair(
            id=key_id, label=label, store=True, private_template=_KEPT, mechanism=Mechanism.EC_KEY_PAIR_GEN
        )
    return session.generate_keypair(
        KeyType.RSA,
        _RSA_BITS,
        id=key_id,
        label=label,
        store=True,
        private_template=_KEPT | {Attribute.DECRYPT: False, Attribute.UNWRAP: False},
    )


def public_pem(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo, PEM, of a public key in a token."""
    if key.key_type == KeyType.EC:
        found = serialization.load_der_public_key(encode_ec_public_key(key))
    else:
        exponent = int.from_bytes(key[Attribute.PUBLIC_EXPONENT], "big")
        found = rsa.RSAPublicNumbers(exponent, int.from_bytes(key[Attribute.MODULUS], "big")).public_key()
    return found.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
