"""Settings of ACME, by which servers get their certificates from the private CA."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ostiary.settings.certificate_authority import check_domain, check_url
from ostiary.settings.fields import Count, Networks, Port, Section, split

_SERVER = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\])(?::(\d{1,5}))?")


def _dns_server(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise ValueError("must be an address with or without a port, such as 10.0.0.53 or 10.0.0.53:5353")
    return value


Domains = Annotated[tuple[Annotated[str, AfterValidator(check_domain)], ...], BeforeValidator(split)]


class AcmeSettings(Section):
    """Certificates for servers by ACME; times in seconds.

    external_account_required: whether an account needs what `ostiary acme eab create` makes. unbound_dns,
    unbound_networks: what accounts without it may ask for. terms_of_service: a URL that an account must agree to.
    allow_networks: where validations by http-01 and tls-alpn-01 may connect to; nothing else is reached.
    http_port, tls_port: the ports there. dns_server: who is asked for names; default: the resolver of the system.
    validation_timeout: of one try. max_open_orders: of one account; max_identifiers: of one order; max_accounts: of
    one credential; requests_per_minute: of one account, in each process.
    """

    enabled: bool = False
    external_account_required: bool = True
    unbound_dns: Domains = ()
    unbound_networks: Networks = ()
    terms_of_service: Annotated[str, AfterValidator(check_url)] | None = None
    allow_networks: Networks = ()
    http_port: Port = 80
    tls_port: Port = 443
    dns_server: Annotated[str, AfterValidator(_dns_server)] | None = None
    validation_timeout: float = Field(default=10.0, gt=0, le=60)
    max_open_orders: Count = 100
    max_identifiers: int = Field(default=20, ge=1, le=100)
    max_accounts: Count = 100
    requests_per_minute: Count = 600

    @model_validator(mode="after")
    def _agree(self) -> AcmeSettings:
        if not self.external_account_required and not (self.unbound_dns or self.unbound_networks):
            raise ValueError(
                "external_account_required is false and unbound_dns and unbound_networks are empty, so an account "
                "could ask for nothing: name what accounts without a binding may ask for"
            )
        return self

    def dns_address(self) -> tuple[str, int] | None:
        """The DNS server's address and port; None for the system's."""
        found = _SERVER.fullmatch(self.dns_server or "")
        return (found[1].strip("[]"), int(found[2] or 53)) if found else None
