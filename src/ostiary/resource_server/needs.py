"""What the verifier asks of whoever drives it; the answers come from caches or from the network."""

from __future__ import annotations

from typing import Protocol

import msgspec

from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.status_list import StatusList
from ostiary.resource_server.principal import Principal


class NeedKey(msgspec.Struct, frozen=True):
    """The issuer's key of that kid; answered by a VerificationKey, or by None if the issuer publishes none such."""

    issuer: str
    kid: str


class NeedClientKey(msgspec.Struct, frozen=True):
    """The key ``kid`` of a client; answered by a ClientKeyFound, or by None if the client has none such."""

    client_id: str
    kid: str


class NeedIntrospection(msgspec.Struct, frozen=True):
    """What the issuer says about a reference token; answered by its claims, or by None if it is not active.

    digest: SHA-256 of the token, under which the answer may be cached.
    """

    issuer: str
    token: str
    digest: bytes

    def __repr__(self) -> str:
        return f"NeedIntrospection(issuer={self.issuer!r})"


class NeedReplayCheck(msgspec.Struct, frozen=True):
    """Whether (issuer, jti) is seen for the first time; answered by a bool. expires_at: seconds since the epoch."""

    issuer: str
    jti: str
    expires_at: float


class NeedRevocations(msgspec.Struct, frozen=True):
    """That it is known well enough which of the issuer's tokens have ended.

    Answered by True, or by False where the issuer is to be asked about the token itself.
    """

    issuer: str


class NeedStatusList(msgspec.Struct, frozen=True):
    """The status list of the issuer at this address; answered by the list, verified."""

    issuer: str
    uri: str


class ClientKeyFound(msgspec.Struct, frozen=True):
    """A key of a client in the key store, the scopes that the store allows that client at this API, the key's end."""

    client_id: str
    key: VerificationKey
    scopes: frozenset[str] = frozenset()
    expires_at: float = float("inf")


Need = NeedKey | NeedClientKey | NeedIntrospection | NeedReplayCheck | NeedRevocations | NeedStatusList
Answer = VerificationKey | ClientKeyFound | StatusList | dict[str, object] | bool | None


class RevocationHook(Protocol):
    """Asked at each request, for cached tokens too; raises VerificationError("revocation") or Unavailable."""

    def __call__(self, principal: Principal, now: float) -> None: ...
