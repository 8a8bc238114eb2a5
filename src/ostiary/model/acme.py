"""What ACME remembers (RFC 8555 section 7.1): who may bind an account, accounts, orders, authorizations, challenges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CredentialState = Literal["active", "revoked"]
AccountState = Literal["valid", "deactivated"]
OrderState = Literal["pending", "ready", "valid", "invalid"]
AuthorizationState = Literal["pending", "valid", "invalid", "deactivated"]
ChallengeState = Literal["pending", "processing", "valid", "invalid"]
ChallengeKind = Literal["http-01", "dns-01", "tls-alpn-01"]


@dataclass(frozen=True, slots=True)
class AcmeCredential:
    """What an external account binding proves (section 7.3.4): whose certificates they are and for which names.

    owner: a person or team. dns: domains, each with the names below it; networks: of addresses; nothing else may be
    asked for. sealed_key: the MAC key, sealed. created_at, revoked_at: seconds since the epoch.
    """

    key_id: str
    owner: str
    dns: tuple[str, ...]
    networks: tuple[str, ...]
    sealed_key: bytes
    state: CredentialState
    created_at: int
    revoked_at: int | None = None
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class AcmeAccount:
    """credential: the key id of the binding, "" without one. jwk: JSON text; thumbprint: of it, RFC 7638."""

    account_id: str
    credential: str
    owner: str
    jwk: str
    alg: str
    thumbprint: str
    contacts: tuple[str, ...]
    state: AccountState
    created_at: int
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class AcmeOrder:
    """identifiers: as certificates name them (``dns:`` or ``ip:``). not_after: the wish, None for none.

    replaces: the certificate that this one comes after (RFC 9773 section 5), "" for none. serial: of what was issued.
    error: a problem document as JSON text, "" for none. ends_at: until when it can be completed; expires_at: when the
    row may go. Times in seconds since the epoch.
    """

    order_id: str
    account_id: str
    state: OrderState
    identifiers: tuple[str, ...]
    not_after: int | None
    replaces: str
    serial: str
    error: str
    created_at: int
    ends_at: int
    expires_at: int
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class AcmeAuthorization:
    """The proof of one identifier, for one order."""

    authorization_id: str
    order_id: str
    account_id: str
    identifier: str
    state: AuthorizationState
    ends_at: int
    expires_at: int
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class AcmeChallenge:
    """One way to prove an identifier. attempts: how often it was begun; due_at: when it is tried (again).

    error: why the last try failed, a problem document as JSON text, "" for none.
    """

    challenge_id: str
    authorization_id: str
    account_id: str
    kind: ChallengeKind
    token: str
    state: ChallengeState
    attempts: int
    due_at: int
    error: str
    validated_at: int | None
    expires_at: int
    tenant: str = "default"
