"""Keys that the tests of the wire formats share; each is made once a run."""

from __future__ import annotations

from functools import cache

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, jws, strict_json
from ostiary.protocol.jwk import SigningKey

NOW = 1_800_000_000
ISSUER = "https://auth.example.com"
API = "https://orders.example.com"
CLIENT = "client-7"


def signing_key(alg: str = "ES256", number: int = 0) -> SigningKey:
    """The key of this number for ``alg``."""
    return _made_once(alg, number)


@cache
def _made_once(alg: str, number: int) -> SigningKey:
    return SigningKey.generate(alg)


def signed(claims: object, typ: str, *, key: SigningKey | None = None) -> jws.CompactJws:
    """``claims`` as a token by ``key``, taken apart again."""
    return jws.parse(jws.sign(strict_json.encode(claims), key or signing_key(), typ=typ))


def raw_token(header: object, payload: bytes, key: SigningKey) -> str:
    """A token with any header at all (an object, or bytes as they are), correctly signed by ``key``."""
    head = header if isinstance(header, bytes) else strict_json.encode(header)
    signing_input = base64url.encode(head) + b"." + base64url.encode(payload)
    return (signing_input + b"." + base64url.encode(key.sign(signing_input))).decode()


def refused_by(error: VerificationError) -> str:
    """The check that refused."""
    return error.check
