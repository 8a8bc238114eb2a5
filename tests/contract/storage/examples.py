"""Records for the storage suites; every one of them can be varied by name."""

from __future__ import annotations

from typing import Any

from ostiary.model.api import Api
from ostiary.model.artifact import OneTimeArtifact
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.model.event import AuditEvent
from ostiary.model.grant import Grant
from ostiary.model.revocation import Revocation
from ostiary.model.signing_key import InstallationKey
from ostiary.model.token import AccessToken
from ostiary.trace import Check, TraceRecord

NOW = 1_800_000_000


def client(client_id: str = "billing", **changes: Any) -> Client:
    values: dict[str, Any] = {
        "client_id": client_id,
        "name": "Billing",
        "kind": "client",
        "state": "active",
        "owner": "team-a",
        "source": "registered",
        "authentication_method": "private_key_jwt",
        "grant_types": ("client_credentials",),
        "scopes": {"https://orders.example": ("orders:read", "orders:write")},
        "token_life": None,
        "jwks_uri": None,
        "may_register_keys": True,
        "max_concurrency": 8,
        "grant_id": "g1",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Client(**(values | changes))


def client_key(thumbprint: str = "thumb-1", **changes: Any) -> ClientKey:
    values: dict[str, Any] = {
        "client_id": "billing",
        "kid": f"kid-of-{thumbprint}",
        "thumbprint": thumbprint,
        "alg": "ES256",
        "jwk": '{"kty":"EC"}',
        "source": "registered",
        "state": "active",
        "owner": "team-a",
        "not_before": NOW,
        "expires_at": None,
        "parent": None,
        "created_at": NOW,
        "last_used_at": None,
    }
    return ClientKey(**(values | changes))


def api(identifier: str = "https://orders.example", **changes: Any) -> Api:
    values: dict[str, Any] = {
        "identifier": identifier,
        "name": "Orders",
        "state": "active",
        "source": "registered",
        "owner": "team-b",
        "client_id": None,
        "scopes": {"orders:read": "Read orders", "orders:write": "Change orders"},
        "token_format": "self-contained",
        "token_alg": "ES256",
        "token_life": 600,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Api(**(values | changes))


def grant(grant_id: str = "g1", **changes: Any) -> Grant:
    values: dict[str, Any] = {
        "grant_id": grant_id,
        "client_id": "billing",
        "subject": "billing",
        "kind": "client",
        "created_at": NOW,
        "expires_at": None,
        "ended_at": None,
    }
    return Grant(**(values | changes))


def token(jti: str = "0001-a", **changes: Any) -> AccessToken:
    values: dict[str, Any] = {
        "jti": jti,
        "format": "self-contained",
        "digest": None,
        "client_id": "billing",
        "subject": "billing",
        "grant_id": "g1",
        "audience": "https://orders.example",
        "scope": "orders:read",
        "key_thumbprint": "thumb-1",
        "signing_kid": "signer-1",
        "rev": 0,
        "issued_at": NOW,
        "expires_at": NOW + 600,
    }
    return AccessToken(**(values | changes))


def signing_key(kid: str = "signer-1", **changes: Any) -> InstallationKey:
    values: dict[str, Any] = {
        "kid": kid,
        "use": "token",
        "alg": "ES256",
        "state": "published",
        "public_jwk": "{}",
        "wrapped_private_key": b"\x00wrapped\xff",
        "published_at": NOW,
        "activated_at": None,
        "retired_at": None,
        "remove_after": None,
    }
    return InstallationKey(**(values | changes))


def revocation(kind: Any = "client", value: str = "billing", **changes: Any) -> Revocation:
    return Revocation(**({"kind": kind, "value": value, "at": NOW, "expires_at": NOW + 3600} | changes))


def event(target: str = "", **changes: Any) -> AuditEvent:
    values: dict[str, Any] = {"tag": "token:issued", "outcome": "allowed", "at": NOW * 1000, "target": target}
    return AuditEvent(**(values | changes))


def trace(trace_id: str = "tr_one") -> TraceRecord:
    checks = (Check("audience", False, "https://other", "https://orders.example", "Ask for the right resource."),)
    return TraceRecord(trace_id, float(NOW), "token", "refused", "audience mismatch", checks, {"client_id": "billing"})


def artifact(digest: bytes = b"d" * 32, **changes: Any) -> OneTimeArtifact:
    values: dict[str, Any] = {"kind": "bootstrap", "digest": digest, "payload": '{"a":1}', "created_at": NOW}
    return OneTimeArtifact(**(values | {"expires_at": NOW + 60} | changes))
