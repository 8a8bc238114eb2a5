"""What an endpoint is; the metadata is derived from these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ostiary.authorization_server.exchange import Handler

UPSTREAM = "{upstream}"
"""Stands in the path of an endpoint that each upstream provider has of its own."""


def issuer_path(issuer: str) -> str:
    """The path of the issuer, without a closing slash; ``""`` for most."""
    return urlsplit(issuer).path.rstrip("/")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint.

    path: below the path of the issuer; one that ends in a slash takes every path that begins so.
    metadata_key: the member of the metadata that names its URL, if one does.
    authenticates: whether clients authenticate there. public_clients: whether those may come who only name themselves.
    places: where it is served, if not below the issuer.
    takes_bound_tokens: whether clients show access tokens there, which may be bound to their certificate.
    takes_certificates: whether a certificate by itself proves there what is asked for.
    cross_origin: whether scripts of other origins may call it; never where a cookie counts.
    """

    name: str
    path: str
    methods: tuple[str, ...]
    handler: Handler
    metadata_key: str | None = None
    authenticates: bool = False
    public_clients: bool = False
    places: Callable[[str], tuple[str, ...]] | None = field(default=None)
    cross_origin: bool = False
    takes_bound_tokens: bool = False
    takes_certificates: bool = False

    @property
    def wants_certificates(self) -> bool:
        """Whether a client may have to show its certificate there, so that it is among the aliases: RFC 8705 5."""
        wants = self.authenticates or self.takes_bound_tokens or self.takes_certificates
        return self.metadata_key is not None and wants

    def paths(self, issuer: str) -> tuple[str, ...]:
        """Every path at which it is served under this issuer."""
        return self.places(issuer) if self.places is not None else (issuer_path(issuer) + self.path,)

    def url(self, issuer: str) -> str:
        """Its URL: made of the issuer, never of a request."""
        return issuer.rstrip("/") + self.path
