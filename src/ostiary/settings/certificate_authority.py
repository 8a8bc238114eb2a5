"""Settings of the private certificate authority."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ostiary.settings.fields import Section

HOUR = 3600
DAY = 24 * HOUR
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError("must be an http or https URL without query: give the address under which the CA is reached")
    return value.rstrip("/")


def _domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value):
        raise ValueError(
            f"{value!r} is no domain in lower case, such as example.com: write it without a dot at the end"
        )
    return value


class Lives(Section):
    """Seconds: how long a certificate lives if nobody says, and at most."""

    life: int = Field(ge=60)
    max_life: int = Field(ge=60, le=398 * DAY)

    @model_validator(mode="after")
    def _agree(self) -> Lives:
        if self.life > self.max_life:
            raise ValueError("life is longer than max_life: lower the one or raise the other")
        return self


class CertificateAuthoritySettings(Section):
    """The private CA; times in seconds.

    public_url: under which others reach CRL, OCSP and the CA's certificate, best by plain http (RFC 5280 8); default:
    the issuer. trust_domain: of SPIFFE IDs; None: no workload gets one.
    crl_life: how long a revocation list is good; it is renewed after half of that and after each revocation.
    ocsp_life: how long an OCSP answer is good.
    client, server, workload: the lives of certificates of these profiles.
    """

    public_url: Annotated[str, AfterValidator(_url)] | None = None
    trust_domain: Annotated[str, AfterValidator(_domain)] | None = None
    crl_life: int = Field(default=DAY, ge=60, le=30 * DAY)
    ocsp_life: int = Field(default=10 * 60, ge=60, le=7 * DAY)
    client: Lives = Lives(life=DAY, max_life=30 * DAY)
    server: Lives = Lives(life=7 * DAY, max_life=90 * DAY)
    workload: Lives = Lives(life=DAY, max_life=7 * DAY)
