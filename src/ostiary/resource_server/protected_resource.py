"""The metadata of an API: RFC 9728."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from ostiary.protocol import metadata


def url(resource: str) -> str | None:
    """Where the document of ``resource`` stands; None for an identifier that is no URL, which has no such place."""
    if urlsplit(resource).scheme not in ("http", "https"):
        return None
    return metadata.protected_resource_url(resource)


def path(resource: str) -> str | None:
    """The path of that URL."""
    place = url(resource)
    return None if place is None else urlsplit(place).path


def document(resource: str, issuers: Sequence[str], scopes: Mapping[str, str], *, bound_only: bool = False) -> bytes:
    """The document as JSON. bound_only: tokens must be bound to a certificate, and a client is told so beforehand.

    "The resource value returned MUST be identical to the protected resource's resource identifier value into which the
    well-known URI path suffix was inserted" (RFC 9728 section 3.3).
    """
    return msgspec.json.encode(
        metadata.ProtectedResourceMetadata(
            resource=resource,
            authorization_servers=list(issuers),
            scopes_supported=sorted(scopes) or None,
            bearer_methods_supported=["header"],
            tls_client_certificate_bound_access_tokens=bound_only or None,
        )
    )
