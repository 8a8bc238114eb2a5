"""Settings of the private certificate authority."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from ostiary.settings.fields import FilePath, Section

HOUR = 3600
DAY = 24 * HOUR
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def check_url(value: str) -> str:
    """A field's check: an http or https URL, given back without a slash at its end."""
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError("must be an http or https URL without query: give the address under which the CA is reached")
    return value.rstrip("/")


def check_domain(value: str) -> str:
    """A field's check: a domain in lower case."""
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


class Pkcs11Settings(Section):
    """A token that keeps the keys of authorities, by PKCS #11.

    module: the shared library of its maker. token: its label. pin_file: the user PIN, in a file of mode 0600; pin: the
    same from the environment. timeout: seconds after which a call to the token counts as failed.
    """

    module: FilePath
    token: str = Field(min_length=1, max_length=32)
    pin_file: FilePath | None = None
    pin: SecretStr | None = None
    timeout: float = Field(default=10.0, gt=0, le=60)

    @model_validator(mode="after")
    def _agree(self) -> Pkcs11Settings:
        if (self.pin is None) == (self.pin_file is None):
            raise ValueError("give pin_file, or the PIN in OSTIARY_CERTIFICATE_AUTHORITY__PKCS11__PIN: one of both")
        return self


class CertificateAuthoritySettings(Section):
    """The private CA; times in seconds.

    public_url: under which others reach CRL, OCSP and the CA's certificate, best by plain http (RFC 5280 8); default:
    the issuer. trust_domain: of SPIFFE IDs; None: no workload gets one.
    crl_life: how long a revocation list is good; it is renewed after half of that and after each revocation.
    ocsp_life: how long an OCSP answer is good.
    pkcs11: the token that keeps the keys of authorities made with ``--key-store pkcs11``.
    client, server, workload: the lives of certificates of these profiles.
    """

    public_url: Annotated[str, AfterValidator(check_url)] | None = None
    trust_domain: Annotated[str, AfterValidator(check_domain)] | None = None
    crl_life: int = Field(default=DAY, ge=60, le=30 * DAY)
    ocsp_life: int = Field(default=10 * 60, ge=60, le=7 * DAY)
    pkcs11: Pkcs11Settings | None = None
    client: Lives = Lives(life=DAY, max_life=30 * DAY)
    server: Lives = Lives(life=7 * DAY, max_life=90 * DAY)
    workload: Lives = Lives(life=DAY, max_life=7 * DAY)
