"""Settings of SPIFFE: the JWT-SVIDs that are issued here, and whose SVIDs prove a client here."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ostiary.settings.fields import FilePath, Section

_HTTPS = re.compile(r"https?://[^\s/?#@]+(/[^\s#]*)?")


class BundleSettings(Section):
    """``[spiffe.bundles."other.example"]``: where the keys of another trust domain stand, by the operator's word alone.

    file: its SPIFFE bundle; read again when it changed. url: its bundle endpoint, profile https_web.
    """

    file: FilePath | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _agree(self) -> BundleSettings:
        if (self.file is None) == (self.url is None):
            raise ValueError("give file or url: one of both")
        if self.url is not None and not _HTTPS.fullmatch(self.url):
            raise ValueError("url must be an https URL")
        return self


def _trust_domain(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9._-]{1,255}", name):
        raise ValueError(f"{name!r} is no trust domain: a-z 0-9 . - _, without spiffe://")
    return name


class SpiffeSettings(Section):
    """Seconds. The trust domain itself is ``certificate_authority.trust_domain``.

    jwt_svid_life, jwt_svid_max_life: how long a JWT-SVID lives that is issued here, if nobody says, and at most.
    assertion_max_life: the longest life of a JWT-SVID by which a client proves itself; it may be used until it ends.
    bundles: the other trust domains whose workloads may be clients here.
    """

    jwt_svid_life: int = Field(default=300, ge=10, le=3600)
    jwt_svid_max_life: int = Field(default=900, ge=10, le=3600)
    assertion_max_life: int = Field(default=300, ge=10, le=3600)
    bundles: dict[Annotated[str, AfterValidator(_trust_domain)], BundleSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agree(self) -> SpiffeSettings:
        if self.jwt_svid_life > self.jwt_svid_max_life:
            raise ValueError("jwt_svid_life is longer than jwt_svid_max_life: lower the one or raise the other")
        return self
