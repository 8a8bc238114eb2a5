"""The work of verifying a signature when there is no key to verify it with, so that time does not tell who exists."""

from __future__ import annotations

import secrets
from functools import cache

from ostiary.errors import VerificationError
from ostiary.protocol import base64url
from ostiary.protocol.algorithms import ALGORITHMS
from ostiary.protocol.jwk import SigningKey, VerificationKey, parse_public_key
from ostiary.protocol.jws import CompactJws

_RSA_BITS = 2048


def verify(jws: CompactJws) -> None:
    """Verify against a key of the same algorithm that belongs to nobody; whatever comes out is no success."""
    try:
        _decoy(jws.header.alg).verify(jws.signing_input, jws.signature)
    except VerificationError:
        return


@cache
def _decoy(alg: str) -> VerificationKey:
    if ALGORITHMS[alg].key_type != "RSA":
        return SigningKey.generate(alg).verification_key
    # Nobody needs to know the factors of this number; generating a real RSA key would hold the server up.
    modulus = secrets.randbits(_RSA_BITS) | (1 << (_RSA_BITS - 1)) | 1
    members = {"kty": "RSA", "e": "AQAB", "n": base64url.encode(modulus.to_bytes(_RSA_BITS // 8, "big")).decode()}
    return parse_public_key(members, kid="decoy", alg=alg)
