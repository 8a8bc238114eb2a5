"""A consent: what a user has allowed an application to do on their behalf at one API, remembered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consent:
    """resource: the identifier of the API, "" for what OpenID Connect tells of the user. Times: epoch seconds."""

    user_id: str
    client_id: str
    resource: str
    scopes: tuple[str, ...]
    created_at: int
    updated_at: int
    tenant: str = "default"
