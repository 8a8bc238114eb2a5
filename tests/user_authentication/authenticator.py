"""An authenticator and the browser before it, in software: it makes passkeys and signs with them, or does it wrongly.

CBOR is written by hand from RFC 8949 and the structures from Web Authentication Level 3, section 6, so that what the
server reads is not made by the library that reads it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, Unpack

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
AAGUID = bytes.fromhex("08987058cadc4b81b6e130de50dcbe96")


class Twists(TypedDict, total=False):
    """What differs from what a good browser and a good authenticator would send."""

    origin: str
    rp_id: str
    kind: str  # of the ceremony, in the client data
    challenge: str
    cross_origin: bool
    top_origin: str
    flags: int
    count: int
    user_handle: str | None
    attestation_format: str
    algorithm: int


@dataclass
class Passkey:
    """One key pair for one user of one site. count: of the signatures, 0 for an authenticator without a counter."""

    rp_id: str
    user_handle: bytes
    count: int = 0
    flags: int = UP | UV
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def id(self) -> str:
        return text(self.credential_id)

    def copied(self) -> Passkey:
        """A second authenticator with the same key."""
        return replace(self)


def make(
    origin: str, options: dict[str, Any], *, count: int = 0, flags: int = UP | UV
) -> tuple[Passkey, dict[str, Any]]:
    """``navigator.credentials.create``: a passkey, and what the browser makes of it. options: CreationOptionsJSON."""
    passkey = Passkey(options["rp"]["id"], octets(options["user"]["id"]), count, flags)
    return passkey, register(passkey, origin, options)


def register(passkey: Passkey, origin: str, options: dict[str, Any], /, **twists: Unpack[Twists]) -> dict[str, Any]:
    """RegistrationResponseJSON for this passkey."""
    client_data = _client_data("webauthn.create", origin, options["challenge"], twists)
    key = _cose_key(passkey.key, twists.get("algorithm", -7))
    attested = AAGUID + struct.pack(">H", len(passkey.credential_id)) + passkey.credential_id + key
    data = _authenticator_data(passkey, twists, AT) + attested
    form = _text_of(twists.get("attestation_format", "none"))
    attestation = b"\xa3" + _text_of("fmt") + form + _text_of("attStmt") + b"\xa0" + _text_of("authData") + _bytes(data)
    response = {
        "clientDataJSON": text(client_data),
        "attestationObject": text(attestation),
        "transports": ["internal", "hybrid"],
    }
    return {"id": passkey.id, "rawId": passkey.id, "type": "public-key", "response": response}


def sign(passkey: Passkey, origin: str, options: dict[str, Any], /, **twists: Unpack[Twists]) -> dict[str, Any]:
    """``navigator.credentials.get``: AuthenticationResponseJSON; the counter rises if there is one."""
    if passkey.count:
        passkey.count += 1
    client_data = _client_data("webauthn.get", origin, options["challenge"], twists)
    data = _authenticator_data(passkey, twists, 0)
    signature = passkey.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
    response = {
        "clientDataJSON": text(client_data),
        "authenticatorData": text(data),
        "signature": text(signature),
        "userHandle": twists.get("user_handle", text(passkey.user_handle)),
    }
    return {"id": passkey.id, "rawId": passkey.id, "type": "public-key", "response": response}


def text(raw: bytes) -> str:
    """Base64url."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def octets(told: str) -> bytes:
    """What base64url stands for."""
    return base64.urlsafe_b64decode(told + "=" * (-len(told) % 4))


def _client_data(kind: str, origin: str, challenge: str, twists: Twists) -> bytes:
    members: dict[str, Any] = {
        "type": twists.get("kind", kind),
        "challenge": twists.get("challenge", challenge),
        "origin": twists.get("origin", origin),
        "crossOrigin": twists.get("cross_origin", False),
    }
    if "top_origin" in twists:
        members["topOrigin"] = twists["top_origin"]
    return json.dumps(members, separators=(",", ":")).encode()


def _authenticator_data(passkey: Passkey, twists: Twists, more: int) -> bytes:
    rp_hash = hashlib.sha256(twists.get("rp_id", passkey.rp_id).encode()).digest()
    return rp_hash + struct.pack(">BI", twists.get("flags", passkey.flags) | more, twists.get("count", passkey.count))


def _cose_key(key: ec.EllipticCurvePrivateKey, algorithm: int) -> bytes:
    """RFC 9053 section 7.1.1: {1: 2 (EC2), 3: algorithm, -1: 1 (P-256), -2: x, -3: y}."""
    numbers = key.public_key().public_numbers()
    x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    named = struct.pack(">BB", 0x38, -1 - algorithm) if algorithm < -24 else bytes([0x20 - 1 - algorithm])
    return b"\xa5\x01\x02\x03" + named + b"\x20\x01\x21" + _bytes(x) + b"\x22" + _bytes(y)


def _text_of(told: str) -> bytes:
    return bytes([0x60 + len(told)]) + told.encode()


def _bytes(raw: bytes) -> bytes:
    head = b"\x58" + bytes([len(raw)]) if len(raw) < 256 else b"\x59" + struct.pack(">H", len(raw))
    return head + raw
