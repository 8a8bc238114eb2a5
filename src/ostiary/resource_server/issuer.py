"""An issuer that an API trusts: its name, where it is reached, which algorithms it may use, and who we are to it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from ostiary.errors import ConfigurationError
from ostiary.protocol import client_assertion, jws, metadata
from ostiary.protocol.algorithms import ALGORITHMS
from ostiary.protocol.credential import Credential
from ostiary.resource_server.http import checked_url
from ostiary.resource_server.origins import checked_origin
from ostiary.resource_server.watch import RevocationChoice, checked_choice

DEFAULT_ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "ES384", "PS256", "RS256")
KEEP_KEYS_FOR = 3600.0


@dataclass(frozen=True, slots=True)
class IssuerConfig:
    """One authorization server that this API trusts.

    issuer: exactly as it stands in ``iss`` and in its metadata, with its closing slash if it has one there.
    internal_url: where this host reaches it, if that is not its public URL; replaces the issuer at the front of each of
    its endpoints. https, or http to loopback.
    algorithms: what its keys may be (standards: an allowlist per issuer).
    credential: this API's own identity there; without it only self-contained tokens can be verified.
    installation: the six characters in its reference tokens; needed only where several issuers have a credential.
    keep_keys_for: seconds after the last good fetch for which its keys are trusted while it cannot be reached.
    status_list_origins: where its status lists may stand beside its own origin, such as ``("https://lists.example",)``.
    revocation: how to learn that one of its tokens was revoked, if not as ``ResourceServer(revocation=)`` says.
    """

    issuer: str
    internal_url: str | None = None
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    credential: Credential | None = field(default=None, repr=False)
    installation: str | None = None
    keep_keys_for: float = KEEP_KEYS_FOR
    revocation: RevocationChoice | None = None
    status_list_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        metadata.check_issuer_url(self.issuer, closing_slash=True)
        if self.internal_url is not None:
            checked_url(self.internal_url)
        for origin in self.status_list_origins:
            checked_origin(origin)
        if self.revocation is not None:
            checked_choice(self.revocation)
        unknown = [name for name in self.algorithms if name not in ALGORITHMS]
        if unknown or not self.algorithms:
            raise ConfigurationError(f"The algorithms {unknown} of {self.issuer} are unknown; see {list(ALGORITHMS)}.")
        if self.credential is not None and self.credential.issuer != self.issuer:
            raise ConfigurationError(
                f"The credential is one for {self.credential.issuer}, not for {self.issuer}; give the API a key there."
            )

    def reached_at(self, url: str) -> str:
        """``url`` of this issuer as this host reaches it. Raises ConfigurationError for plain http beyond loopback."""
        inside, public = self.internal_url, self.issuer.rstrip("/")
        if inside is not None and (url == public or url.startswith(public + "/")):
            url = inside.rstrip("/") + url[len(public) :]
        return checked_url(url)

    def metadata_urls(self) -> tuple[str, ...]:
        """Where its metadata may stand, in the order in which to ask (RFC 8414 section 3, OpenID Discovery 4)."""
        base = (self.internal_url or self.issuer).rstrip("/")
        return tuple(dict.fromkeys(checked_url(url) for url in metadata.well_known_urls(base)))

    def authentication(
        self, now: float, random: Callable[[], str] = lambda: secrets.token_urlsafe(16)
    ) -> dict[str, str]:
        """The form fields that prove who this API is (RFC 7523 section 2.2). Raises ConfigurationError without one."""
        credential = self.credential
        if credential is None:
            raise ConfigurationError(f"This API has no identity at {self.issuer}: set OSTIARY_API_KEY_FILE.")
        payload = client_assertion.build(credential.client_id, self.issuer, now=now, jti=random())
        return {
            "client_assertion_type": client_assertion.ASSERTION_TYPE,
            "client_assertion": jws.sign(payload, credential.key, typ=client_assertion.TYP),
        }
