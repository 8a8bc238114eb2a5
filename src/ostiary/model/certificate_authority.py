"""An authority of the private CA: the root, kept offline, or one that issues; and what it last said of revocations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AuthorityKind = Literal["root", "issuing"]
AuthorityState = Literal["active", "retired", "revoked"]
IssuingKeyStore = Literal["file", "pkcs11"]


@dataclass(frozen=True, slots=True)
class Authority:
    """authority_id: the subject key identifier, 40 hex digits: SHA-256 of its public key, cut (RFC 7093 method 1).

    state: ``"active"`` issues; ``"retired"`` issues no more, what it issued stays good and it still answers for it;
    ``"revoked"``: its own certificate was revoked, so nothing it issued is good.
    alg: the JOSE name of how it signs. certificate: DER. parent: authority_id of its issuer, its own for a root.
    key_store: where its private key is: ``"file"`` (wrapped in ``wrapped_private_key``), ``"pkcs11"`` (then that is its
    PKCS #11 URI, RFC 7512) or ``"offline"`` (nowhere here).
    not_before, not_after, created_at: seconds since the epoch.
    """

    authority_id: str
    kind: AuthorityKind
    name: str
    state: AuthorityState
    alg: str
    certificate: bytes
    parent: str
    key_store: IssuingKeyStore | Literal["offline"]
    wrapped_private_key: bytes
    not_before: int
    not_after: int
    created_at: int
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A CRL that was signed (RFC 5280 section 5): its number rises with every one. crl: DER. Times in seconds."""

    authority_id: str
    number: int
    crl: bytes
    this_update: int
    next_update: int
    tenant: str = "default"
