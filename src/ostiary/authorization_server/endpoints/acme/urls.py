"""The URLs of ACME resources: made of the issuer, never of a request."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.authorization_server.endpoints.base import issuer_path

PATH = "/acme"


@dataclass(frozen=True, slots=True)
class AcmeUrls:
    """issuer: the issuer identifier."""

    issuer: str

    def of(self, *parts: str) -> str:
        """The URL of a resource, such as ``of("order", order_id)``."""
        return "/".join((self.issuer.rstrip("/") + PATH, *parts))

    def of_path(self, path: str) -> str:
        """The URL at which a request for ``path`` has to be signed."""
        return self.issuer.rstrip("/") + path.removeprefix(issuer_path(self.issuer))

    def account_id(self, kid: str) -> str | None:
        """The account that a ``kid`` names; None if it is none of ours."""
        prefix = self.of("account", "")
        return kid.removeprefix(prefix) if kid.startswith(prefix) else None
