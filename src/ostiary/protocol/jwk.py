"""Keys: one key, one algorithm, one kid; read from JWK, JWKS and PEM (RFC 7517, RFC 7638, RFC 8725bis 3.1).

What a document may say wrongly is refused: private members among public ones, shared secrets, weak keys, ``use`` or
``key_ops`` that are not for signatures, an ``alg`` that does not fit, double members, double kids. An RSA key must name
its ``alg``. An Ed25519 key answers to ``EdDSA`` or to ``Ed25519``, exactly as registered, and to ``EdDSA`` if unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization

from ostiary.errors import VerificationError
from ostiary.protocol import algorithms, jwk_members, pem, strict_json
from ostiary.protocol.algorithms import PrivateKey, PublicKey
from ostiary.protocol.checks import shown
from ostiary.protocol.refusals import bad_key

MAX_KID_LENGTH = 256
MAX_DOCUMENT_BYTES = 262_144
MAX_KEYS = 100


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key with its one algorithm.

    kid: the name under which it is found; alg: exactly as it must stand in a token's header;
    thumbprint: RFC 7638, SHA-256, base64url.
    """

    kid: str
    alg: str
    thumbprint: str
    _members: Mapping[str, str] = field(repr=False, compare=False)
    _verifier: Callable[[bytes, bytes], None] = field(repr=False, compare=False)

    def verify(self, signing_input: bytes, signature: bytes) -> None:
        """Raise VerificationError("signature") unless ``signature`` over ``signing_input`` was made by this key."""
        self._verifier(signing_input, signature)

    def public_jwk(self) -> dict[str, str]:
        """The key as a public JWK with ``kid``, ``alg`` and ``use``."""
        return {**self._members, "kid": self.kid, "alg": self.alg, "use": "sig"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its one algorithm; its representation never shows the private part."""

    kid: str
    alg: str
    verification_key: VerificationKey = field(repr=False)
    _private: PrivateKey = field(repr=False, compare=False)
    _signer: Callable[[bytes], bytes] = field(repr=False, compare=False)

    def sign(self, signing_input: bytes) -> bytes:
        """The signature over ``signing_input`` in the form of RFC 7518 (ECDSA: r || s)."""
        return self._signer(signing_input)

    @classmethod
    def generate(cls, alg: str, *, kid: str | None = None) -> SigningKey:
        """A new key for ``alg``; its kid is its thumbprint unless given (RFC 7638)."""
        return _signing_key(algorithms.generate(alg), alg, kid)

    @classmethod
    def from_pkcs8(cls, der: bytes, alg: str, kid: str | None) -> SigningKey:
        """The key in unencrypted PKCS 8 (DER). Raises VerificationError("key")."""
        return _signing_key(pem.private_key_from_der(der), alg, kid)

    def to_pkcs8(self) -> bytes:
        """The key in unencrypted PKCS 8 (DER): a secret; wrap it before it is stored."""
        encoding, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
        return self._private.private_bytes(encoding, form, serialization.NoEncryption())

    def private_jwk(self) -> dict[str, str]:
        """The key as a private JWK with ``kid``, ``alg`` and ``use``: a secret."""
        return {**self.verification_key.public_jwk(), **jwk_members.private_members(self._private)}


def parse_public_key(
    document: bytes | str | Mapping[str, object], *, kid: str | None = None, alg: str | None = None
) -> VerificationKey:
    """The one public key in ``document``: a JWK (bytes, text or already decoded), a JWKS of one, or PEM.

    kid, alg: for a document that does not say; one that says otherwise is refused. Raises VerificationError("key").
    """
    if isinstance(document, Mapping):
        return _from_jwk(document, kid, alg)
    keys = _from_document(_as_bytes(document), kid, alg)
    if len(keys) != 1:
        raise bad_key(f"a document of {len(keys)} keys", expected="one key")
    return keys[0]


def parse_public_keys(document: bytes | str, *, skip_unusable: bool = False) -> list[VerificationKey]:
    """Every public key in ``document``: JWK, JWKS or PEM of one or several blocks.

    skip_unusable: leave out keys of a set that are of a type, curve, use or algorithm that we do not take, as RFC 7517
    section 5 advises for sets that others publish; private and double keys are refused even then.
    Raises VerificationError("key").
    """
    return _from_document(_as_bytes(document), None, None, skip_unusable=skip_unusable)


def parse_private_key(
    document: bytes | str | Mapping[str, object], *, kid: str | None = None, alg: str | None = None
) -> SigningKey:
    """The private key in ``document``: a JWK or unencrypted PEM (PKCS 8, PKCS 1, SEC 1).

    Raises VerificationError("key").
    """
    if not isinstance(document, Mapping):
        raw = _as_bytes(document)
        if pem.looks_like_pem(raw):
            return _signing_key(pem.private_key(raw), alg, kid)
        document = _json(raw)
    _check_purpose(document, "sign")
    key = jwk_members.private_key(document)
    return _signing_key(key, _agreed(document, "alg", alg), _agreed(document, "kid", kid))


def _as_bytes(document: bytes | str) -> bytes:
    raw = document.encode("utf-8", "replace") if isinstance(document, str) else document
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise bad_key(f"a document of {len(raw)} octets", expected=f"at most {MAX_DOCUMENT_BYTES} octets")
    return raw


def _json(raw: bytes) -> Mapping[str, object]:
    try:
        return strict_json.decode_object(raw)
    except VerificationError as error:
        raise bad_key(error.seen, expected="a JWK, a JWKS or PEM") from None


def _from_document(
    raw: bytes, kid: str | None, alg: str | None, *, skip_unusable: bool = False
) -> list[VerificationKey]:
    if pem.looks_like_pem(raw):
        return _distinct([_verification_key(key, alg, kid) for key in pem.public_keys(raw)])
    document = _json(raw)
    if "keys" not in document:
        return [_from_jwk(document, kid, alg)]
    members = document["keys"]
    if not isinstance(members, list) or len(members) > MAX_KEYS or "kty" in document:
        raise bad_key("a JWK Set that is not a short list of keys", expected=f'"keys": at most {MAX_KEYS} JWKs')
    return _distinct(_usable(members, kid, alg, skip_unusable))


def _usable(members: list[object], kid: str | None, alg: str | None, skip: bool) -> Iterable[VerificationKey]:
    for jwk in members:
        if not isinstance(jwk, dict):
            raise bad_key("a member of the JWK Set that is not an object")
        try:
            yield _from_jwk(jwk, kid, alg)
        except VerificationError:
            if not skip or jwk_members.PRIVATE_MEMBERS & jwk.keys():
                raise


def _distinct(keys: Iterable[VerificationKey]) -> list[VerificationKey]:
    found = list(keys)
    # A kid must name one key, and a key must have one algorithm: neither may stand twice.
    for attribute in ("kid", "thumbprint"):
        if len({getattr(key, attribute) for key in found}) != len(found):
            raise bad_key(f"two keys of one {attribute}", expected=f"each {attribute} once")
    return found


def _from_jwk(jwk: Mapping[str, object], kid: str | None, alg: str | None) -> VerificationKey:
    if "k" in jwk or jwk.get("kty") == "oct":
        raise bad_key("a shared secret", expected="a public key", mend="use an asymmetric key pair")
    if jwk_members.PRIVATE_MEMBERS & jwk.keys():
        raise bad_key(
            "a private key", expected="a public key", mend="this key is disclosed: make a new one, send its public half"
        )
    _check_purpose(jwk, "verify")
    return _verification_key(jwk_members.public_key(jwk), _agreed(jwk, "alg", alg), _agreed(jwk, "kid", kid))


def _check_purpose(jwk: Mapping[str, object], operation: str) -> None:
    # RFC 7517 4.2, 4.3: "use" and "key_ops" say what the key is for; a key for encryption signs nothing.
    if jwk.get("use", "sig") != "sig":
        raise bad_key("a key whose use is not sig", expected='"use": "sig"')
    operations = jwk.get("key_ops", [operation])
    # "Duplicate key operation values MUST NOT be present in the array." RFC 7517 4.3
    if not isinstance(operations, list) or operation not in operations or not _all_different_texts(operations):
        raise bad_key(f"key_ops without {operation}", expected=f'"key_ops": ["{operation}"]')


def _all_different_texts(values: list[object]) -> bool:
    return all(isinstance(value, str) for value in values) and len(set(values)) == len(values)


def _agreed(jwk: Mapping[str, object], member: str, given: str | None) -> str | None:
    written = jwk.get(member, given)
    if written is not None and not isinstance(written, str):
        raise bad_key(f'the member "{member}" is not a text')
    if member in jwk and (written is None or given not in (None, written)):
        raise bad_key(f"{member} {shown(written)}", expected=f"{member} {shown(given)}")
    return written


def _verification_key(key: PublicKey, alg: str | None, kid: str | None) -> VerificationKey:
    name = algorithms.algorithm_for(key, alg)
    members = jwk_members.public_members(key)
    thumbprint = jwk_members.thumbprint(members)
    kid = thumbprint if kid is None else kid
    if not 0 < len(kid) <= MAX_KID_LENGTH:
        raise bad_key(f"a kid of {len(kid)} characters", expected=f"1 to {MAX_KID_LENGTH}")
    return VerificationKey(kid, name, thumbprint, members, algorithms.verifier_for(key, name))


def _signing_key(key: PrivateKey, alg: str | None, kid: str | None) -> SigningKey:
    public = _verification_key(key.public_key(), alg, kid)
    return SigningKey(public.kid, public.alg, public, key, algorithms.signer_for(key, public.alg))
