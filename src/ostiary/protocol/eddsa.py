"""Ed25519 for JWS: RFC 8037 section 3.1, RFC 9864 section 2.2, RFC 8032."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from ostiary.protocol.refusals import bad_key, bad_signature

KEY_OCTETS = 32
_SIGNATURE_OCTETS = 64
_FIELD = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _FIELD) % _FIELD
# The y of the two pairs of points of order 8; those of order 1, 2 and 4 have y = 1, -1 and 0.
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _FIELD - 1, _ORDER_8, _FIELD - _ORDER_8})


def check_point(raw: bytes) -> None:
    """Refuse 32 octets that are not the canonical encoding of a point of large order on the curve.

    The library takes any 32 octets. With a key of small order one signature fits many messages (RFC 8032
    5.1.3, 8.4). Raises VerificationError("key").
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if len(raw) != KEY_OCTETS or y >= _FIELD:
        raise bad_key("an Ed25519 key that is not canonically encoded", expected="32 octets, y below 2^255-19")
    if y in _SMALL_ORDER:
        raise bad_key("an Ed25519 key of small order", expected="a point of the large group")
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _FIELD) % _FIELD
    if pow(x_squared, (_FIELD - 1) // 2, _FIELD) != 1:
        raise bad_key("an Ed25519 key that is not on the curve")


def verifier(key: ed25519.Ed25519PublicKey) -> Callable[[bytes, bytes], None]:
    """A function of signing input and signature that raises VerificationError("signature") unless they fit."""
    verify = key.verify

    def check(signing_input: bytes, signature: bytes) -> None:
        if len(signature) != _SIGNATURE_OCTETS:
            raise bad_signature("a signature of wrong length", "64 octets")
        # RFC 8032 5.1.7: S is "in the range 0 <= s < L. If any of the decodings fail, the signature is invalid."
        if int.from_bytes(signature[32:], "little") >= _ORDER:
            raise bad_signature("S outside the group", "0 to L-1")
        try:
            verify(signature, signing_input)
        except InvalidSignature:
            raise bad_signature() from None

    return check


def signer(key: ed25519.Ed25519PrivateKey) -> Callable[[bytes], bytes]:
    """A function of the signing input that returns the 64 octets of the signature."""
    return key.sign
