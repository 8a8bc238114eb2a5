"""The second listener, for clients with certificates, so that no browser is ever asked for one: RFC 8705 section 5."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from ostiary.errors import ConfigurationError
from ostiary.protocol.metadata import check_issuer_url
from ostiary.settings.fields import FilePath, Paths, Port, Section


class MutualTlsSettings(Section):
    """Where clients with certificates come; TLS ends here, also when a proxy stands before the issuer's own address.

    public_url: under which clients reach it; published as ``mtls_endpoint_aliases``. client_ca_files: in PEM form, the
    authorities whose client certificates are good, and those below them; none where only registered self-signed ones
    are. tls_certificate_file, tls_private_key_file: where it shows another certificate than ``[server]``.
    tls_from_own_ca: its certificate comes from the installation's own CA, which is also trusted to name clients.
    """

    host: str = "localhost"
    port: Port = 8402
    public_url: str
    client_ca_files: Paths = ()
    tls_certificate_file: FilePath | None = None
    tls_private_key_file: FilePath | None = None
    tls_from_own_ca: bool = False

    @field_validator("public_url")
    @classmethod
    def _is_https(cls, url: str) -> str:
        try:
            check_issuer_url(url)
        except ConfigurationError:
            url = ""
        if urlsplit(url).scheme != "https":
            raise ValueError('must be an https URL without query and fragment, such as "https://mtls.example.com"')
        return url

    @model_validator(mode="after")
    def _agree(self) -> MutualTlsSettings:
        if (self.tls_certificate_file is None) != (self.tls_private_key_file is None):
            raise ValueError("tls_certificate_file and tls_private_key_file go together: give both or neither")
        if self.tls_certificate_file is not None and self.tls_from_own_ca:
            raise ValueError("tls_certificate_file and tls_from_own_ca exclude each other: keep one")
        return self
