"""A one-time artifact: something opaque that is made once and consumed once (code, pushed request, bootstrap, ...)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OneTimeArtifact:
    """kind and digest (SHA-256 of the secret) name it; payload is JSON text; consumed_at is None until it is used."""

    kind: str
    digest: bytes
    payload: str
    created_at: int
    expires_at: int
    consumed_at: int | None = None
    tenant: str = "default"
