"""SPIFFE bundles, the keys of a trust domain: SPIFFE Trust Domain and Bundle section 4, X.509-SVID section 6."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from ostiary.errors import VerificationError
from ostiary.protocol import jwk_members, strict_json
from ostiary.protocol.jwk import MAX_DOCUMENT_BYTES, MAX_KEYS, VerificationKey, parse_public_key
from ostiary.protocol.pem import checked_public
from ostiary.protocol.refusals import bad_key

X509_SVID: Final = "x509-svid"
JWT_SVID: Final = "jwt-svid"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was read. jwt_keys: of JWT-SVIDs; refresh_hint: seconds, None if it has none."""

    jwt_keys: tuple[VerificationKey, ...]
    refresh_hint: int | None = None


def build(roots: Iterable[bytes], jwt_keys: Iterable[VerificationKey], sequence: int, refresh_hint: int) -> bytes:
    """The document. roots: certificates, DER; sequence: higher than in every document before; refresh_hint: seconds."""
    keys = [*map(_of_root, roots), *map(_of_jwt_key, jwt_keys)]
    return strict_json.encode({"keys": keys, "spiffe_sequence": sequence, "spiffe_refresh_hint": refresh_hint})


def parse(document: bytes) -> Bundle:
    """The keys of JWT-SVIDs in ``document``; what is of an unknown type or use is passed over (4.1.3, 4.2).

    Raises VerificationError("key"): no bundle, a private key, two keys of one kid.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise bad_key(f"a document of {len(document)} octets", expected=f"at most {MAX_DOCUMENT_BYTES} octets")
    try:
        members = strict_json.decode_object(document)
    except VerificationError as error:
        raise bad_key(error.seen, expected="a SPIFFE bundle") from None
    keys = members.get("keys")
    # "The parameter 'keys' MUST be present. Its value is an array of JWKs." 4.1.3
    if not isinstance(keys, list) or len(keys) > MAX_KEYS or not all(isinstance(one, dict) for one in keys):
        raise bad_key("a SPIFFE bundle without a short list of keys", expected=f'"keys": at most {MAX_KEYS} JWKs')
    found = [key for one in keys if (key := _jwt_key(one)) is not None]
    if len({key.kid for key in found}) != len(found):
        raise bad_key("two keys of one kid", expected="each kid once")
    hint = members.get("spiffe_refresh_hint")
    return Bundle(tuple(found), hint if type(hint) is int and hint > 0 else None)


def _jwt_key(jwk: Mapping[str, object]) -> VerificationKey | None:
    if jwk_members.PRIVATE_MEMBERS & jwk.keys():
        raise bad_key("a private key", expected="a public key", mend="this key is disclosed: its owner makes a new one")
    # "Clients encountering unknown 'use' values MUST ignore the entire JWK element." 4.2.2
    if jwk.get("use") != JWT_SVID:
        return None
    plain = {name: value for name, value in jwk.items() if name != "use"}
    # A bundle names no algorithm; for RSA the libraries of SPIFFE sign by RS256.
    named = "RS256" if jwk.get("kty") == "RSA" and "alg" not in jwk else None
    try:
        return parse_public_key(plain, alg=named)
    except VerificationError:
        # "Clients encountering an unknown key type MUST ignore the entire JWK element." 4.2.1
        return None


def _of_root(der: bytes) -> dict[str, object]:
    # "The 'use' parameter of each JWK entry MUST be set to 'x509-svid'. Additionally, the 'kid' parameter of each JWK
    # entry MUST NOT be set ... 'x5c' ... The value MUST include exactly one CA certificate" X.509-SVID 6.1
    key = checked_public(x509.load_der_x509_certificate(der).public_key())
    return {"use": X509_SVID, **jwk_members.public_members(key), "x5c": [base64.b64encode(der).decode("ascii")]}


def _of_jwt_key(key: VerificationKey) -> dict[str, object]:
    return {**key.public_jwk(), "use": JWT_SVID}
