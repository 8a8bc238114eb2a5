"""Every setting of the server: its type, unit and default, and the checks between settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from ostiary.errors import ConfigurationError
from ostiary.protocol.metadata import check_issuer_url
from ostiary.settings.acme import AcmeSettings
from ostiary.settings.certificate_authority import CertificateAuthoritySettings
from ostiary.settings.email import EmailSettings
from ostiary.settings.fields import Algorithms, Count, FilePath, Networks, Port, Seconds, Section, is_loopback
from ostiary.settings.mutual_tls import MutualTlsSettings
from ostiary.settings.revocation_feed import RevocationFeedSettings
from ostiary.settings.spiffe import SpiffeSettings
from ostiary.settings.static import Static
from ostiary.settings.status_lists import StatusListSettings
from ostiary.settings.upstream import UpstreamName, UpstreamSettings

DAY = 86_400
MAX_ASSET = 512 * 1024


class StorageSettings(Section):
    """url: ``sqlite:///file``, beside the settings file, or ``postgresql://...``; secret if it holds a password.

    wake_ups_url: a Valkey or Redis (``valkey://...``) by which nodes wake one another, in PostgreSQL's place.
    """

    url: str = Field(default="sqlite:///ostiary.db", repr=False)
    wake_ups_url: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _agree(self) -> StorageSettings:
        if self.wake_ups_url is not None and self.url.startswith("sqlite:"):
            raise ValueError("wake_ups_url is for nodes that share a PostgreSQL, and url is SQLite's: leave it out")
        return self


class KeySettings(Section):
    """The installation's signing keys; all times in seconds.

    key_encryption_key_file: 32 random bytes in base64url; key_encryption_key: the same from the environment.
    publish_before: how long a key stands in the JWKS before it signs. jwks_max_age: how long others may keep the JWKS.
    """

    key_encryption_key_file: FilePath | None = None
    key_encryption_key: SecretStr | None = None
    algorithms: Algorithms = ("ES256",)
    rotate_after: Seconds = 30 * DAY
    publish_before: Seconds = DAY
    jwks_max_age: int = Field(default=300, ge=1, le=DAY)

    @model_validator(mode="after")
    def _agree(self) -> KeySettings:
        if self.publish_before < self.jwks_max_age:
            raise ValueError(
                "publish_before is shorter than jwks_max_age, so a key would sign before everyone has seen it: raise it"
            )
        if self.rotate_after <= self.publish_before:
            raise ValueError("rotate_after must be longer than publish_before: a next key needs time to be seen")
        if self.key_encryption_key is not None and self.key_encryption_key_file is not None:
            raise ValueError("key_encryption_key and key_encryption_key_file are both given: keep one")
        return self


class TokenSettings(Section):
    """Seconds: default and upper bound of an access token's life, and the longest life of a client assertion."""

    default_life: int = Field(default=600, ge=1, le=DAY)
    max_life: int = Field(default=3600, ge=1, le=DAY)
    assertion_max_life: int = Field(default=300, ge=1, le=3600)

    @model_validator(mode="after")
    def _agree(self) -> TokenSettings:
        if self.default_life > self.max_life:
            raise ValueError("default_life is longer than max_life: lower the one or raise the other")
        return self


class SignInSettings(Section):
    """How users sign in; times in seconds.

    session_idle: a session ends when it is not used for so long; session_life: its absolute end.
    password_min_length: of new passwords. second_factor: whether a password alone is enough.
    application_name: what the pages call this installation.
    """

    session_idle: int = Field(default=8 * 3600, ge=60, le=90 * DAY)
    session_life: int = Field(default=7 * DAY, ge=60, le=365 * DAY)
    password_min_length: int = Field(default=10, ge=8, le=64)
    second_factor: Literal["optional", "required"] = "optional"
    application_name: str = Field(default="Ostiary", min_length=1, max_length=60)

    @model_validator(mode="after")
    def _agree(self) -> SignInSettings:
        if self.session_idle > self.session_life:
            raise ValueError("session_idle is longer than session_life: lower the one or raise the other")
        return self


class AuthorizationSettings(Section):
    """What applications with users are given; times in seconds.

    code_life: of an authorization code (FAPI 2.0: 60 at most). refresh_idle, refresh_life: an unused refresh token ends
    after the first, its family after the second. refresh_retry: how long a repeated refresh gets the same successor;
    0 switches that off.
    """

    code_life: int = Field(default=60, ge=5, le=60)
    refresh_idle: int = Field(default=14 * DAY, ge=60, le=365 * DAY)
    refresh_life: int = Field(default=90 * DAY, ge=60, le=3 * 365 * DAY)
    refresh_retry: int = Field(default=10, ge=0, le=10)

    @model_validator(mode="after")
    def _agree(self) -> AuthorizationSettings:
        if self.refresh_idle > self.refresh_life:
            raise ValueError("refresh_idle is longer than refresh_life: lower the one or raise the other")
        return self


class PagesSettings(Section):
    """How the pages look.

    templates_dir: a folder of templates of one's own; one that is called like ours stands in its place.
    logo_file: SVG or PNG. css_file: a style sheet after ours, such as one that sets its variables.
    language: of those whose browser asks for none that there is.
    """

    templates_dir: FilePath | None = None
    logo_file: FilePath | None = None
    css_file: FilePath | None = None
    language: Literal["en", "de"] = "en"

    @model_validator(mode="after")
    def _are_there(self) -> PagesSettings:
        if self.templates_dir is not None and not self.templates_dir.is_dir():
            raise ValueError(f"templates_dir {self.templates_dir} is no folder: make it, or leave the setting out")
        _check_file("logo_file", self.logo_file, (".svg", ".png"))
        _check_file("css_file", self.css_file, (".css",))
        return self


def _check_file(setting: str, file: Path | None, suffixes: tuple[str, ...]) -> None:
    if file is None:
        return
    if file.suffix not in suffixes:
        raise ValueError(f"{setting} {file} must end in {' or '.join(suffixes)}")
    if not file.is_file():
        raise ValueError(f"{setting} {file} is not there: put it there, or leave the setting out")
    if file.stat().st_size > MAX_ASSET:
        raise ValueError(f"{setting} {file} is larger than {MAX_ASSET // 1024} KiB: make it smaller")


class ServerSettings(Section):
    """Where and within which limits the issuer's endpoints are served; times in seconds, sizes in bytes.

    tls_certificate_file: the certificate, then its issuers, in PEM form. tls_private_key_file: its key, of mode 0600.
    Both are watched: what is new is taken without a restart. tls_handshake_timeout: how long a handshake may take.
    tls_from_own_ca: the server's certificate comes from the installation's own CA (``ostiary ca init``) and is renewed.
    behind_proxy: a proxy in front of this server ends TLS; without it plain http is for loopback alone. The proxy must
    append the address of its peer to X-Forwarded-For: sign-ins are throttled by it. trusted_proxies: the networks of
    further proxies before that one.
    max_connections_per_address: of one IPv4 address or one /64 (IPv6), in each worker; neither of loopback nor behind a
    proxy, where all callers have the proxy's address.
    """

    host: str = "localhost"
    port: Port = 8400
    workers: int = Field(default=1, ge=1, le=64)
    behind_proxy: bool = False
    trusted_proxies: Networks = ()
    tls_certificate_file: FilePath | None = None
    tls_private_key_file: FilePath | None = None
    tls_from_own_ca: bool = False
    tls_handshake_timeout: float = Field(default=10.0, gt=0, le=60)
    max_header_bytes: int = Field(default=32_768, ge=1024)
    max_body_bytes: int = Field(default=65_536, ge=1024)
    request_timeout: float = Field(default=10.0, gt=0)
    max_connections: Count = 1000
    max_connections_per_address: Count = 256
    max_concurrency_per_client: Count = 64

    @model_validator(mode="after")
    def _agree(self) -> ServerSettings:
        if (self.tls_certificate_file is None) != (self.tls_private_key_file is None):
            raise ValueError("tls_certificate_file and tls_private_key_file go together: give both or neither")
        if self.tls_certificate_file is not None and self.tls_from_own_ca:
            raise ValueError("tls_certificate_file and tls_from_own_ca exclude each other: keep one")
        if not self.ends_tls and not self.behind_proxy and not is_loopback(self.host):
            # ASVS 12.2.1: TLS for every connection that leaves the machine.
            raise ValueError(
                "host is not loopback and there is no certificate: give tls_certificate_file and tls_private_key_file, "
                "or tls_from_own_ca = true, or set behind_proxy = true if a proxy in front ends TLS"
            )
        return self

    @property
    def ends_tls(self) -> bool:
        """Whether the issuer's own address is served over TLS by us."""
        return self.tls_certificate_file is not None or self.tls_from_own_ca


class ManagementSettings(Section):
    """Where health, metrics and the admin API are served, plain http: on loopback unless a proxy stands in front."""

    host: str = "127.0.0.1"
    port: Port = 8401
    behind_proxy: bool = False
    max_connections: Count = 100

    @model_validator(mode="after")
    def _agree(self) -> ManagementSettings:
        if not self.behind_proxy and not is_loopback(self.host):
            raise ValueError(
                "host is not loopback: bind it to 127.0.0.1, or set behind_proxy = true if a proxy in front ends TLS"
            )
        return self


class AuditSettings(Section):
    """heads_file: where signed heads of the audit chain are appended, outside the database.

    unauthenticated_refusals_per_minute: how many refusals of unauthenticated callers get an audit row and a trace of
    their own, in each process; ..._and_address: of one IPv4 address or one /64 (IPv6), unless behind a proxy.
    """

    heads_file: FilePath | None = None
    retention_days: int | None = Field(default=None, ge=1)
    unauthenticated_refusals_per_minute: Count = 60
    unauthenticated_refusals_per_minute_and_address: Count = 20


class TraceSettings(Section):
    """How long the trace of a refusal can be explained, in days."""

    retention_days: int = Field(default=7, ge=1, le=365)


class LogSettings(Section):
    """The server's own log."""

    format: Literal["json", "text"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class FetchingSettings(Section):
    """What the fetcher of outside URLs may reach besides public https: networks such as ``10.1.0.0/16``."""

    allow_networks: Networks = ()
    allow_http: bool = False


class Settings(Section):
    """All settings. ``dev`` is set by ``ostiary dev`` alone; no file and no environment can."""

    issuer: str
    storage: StorageSettings = StorageSettings()
    keys: KeySettings = KeySettings()
    tokens: TokenSettings = TokenSettings()
    sign_in: SignInSettings = SignInSettings()
    authorization: AuthorizationSettings = AuthorizationSettings()
    pages: PagesSettings = PagesSettings()
    email: EmailSettings = EmailSettings()
    upstream: dict[UpstreamName, UpstreamSettings] = Field(default_factory=dict)
    server: ServerSettings = ServerSettings()
    mtls: MutualTlsSettings | None = None
    management: ManagementSettings = ManagementSettings()
    audit: AuditSettings = AuditSettings()
    traces: TraceSettings = TraceSettings()
    log: LogSettings = LogSettings()
    fetching: FetchingSettings = FetchingSettings()
    certificate_authority: CertificateAuthoritySettings = CertificateAuthoritySettings()
    acme: AcmeSettings = AcmeSettings()
    spiffe: SpiffeSettings = SpiffeSettings()
    status_lists: StatusListSettings = StatusListSettings()
    revocation_feed: RevocationFeedSettings = RevocationFeedSettings()
    static: Static = Static()
    dev: bool = Field(default=False, repr=False)

    @field_validator("issuer")
    @classmethod
    def _is_an_issuer(cls, issuer: str) -> str:
        try:
            return check_issuer_url(issuer)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        self._check_mtls()
        self._check_streams()
        if self.certificate_authority.trust_domain in self.spiffe.bundles:
            raise ValueError(
                "spiffe.bundles names certificate_authority.trust_domain, whose keys are made here and taken from "
                "nowhere else: leave it out"
            )
        identifiers = [api.identifier for api in self.static.apis.values()]
        if len(set(identifiers)) != len(identifiers):
            raise ValueError("two of static.apis have the same identifier: give each its own")
        for name, client in self.static.clients.items():
            if (
                client.jwks_uri is not None
                and not client.jwks_uri.startswith("https:")
                and not self.fetching.allow_http
            ):
                raise ValueError(f"static.clients.{name}.jwks_uri must be an https URL")
        for name, life in self._lives():
            if life is not None and life > self.tokens.max_life:
                raise ValueError(f"{name} is longer than tokens.max_life ({self.tokens.max_life} s): lower it")
        return self

    def _check_mtls(self) -> None:
        mtls = self.mtls
        if mtls is None:
            return
        if mtls.tls_certificate_file is None and not mtls.tls_from_own_ca and not self.server.ends_tls:
            raise ValueError(
                "mtls has no certificate to show: give mtls.tls_certificate_file and tls_private_key_file, or "
                "mtls.tls_from_own_ca = true"
            )
        # RFC 8705 5: browsers must not be asked, so it is an address of its own.
        if urlsplit(mtls.public_url).netloc == urlsplit(self.issuer).netloc:
            raise ValueError("mtls.public_url must differ from the issuer in host or port")

    def _check_streams(self) -> None:
        most, connections = self.max_streams, self.server.max_connections
        if self.revocation_feed.max_streams is not None and most >= connections:
            raise ValueError(
                f"revocation_feed.max_streams ({most}) leaves no connection for requests: set it below"
                f" server.max_connections ({connections}), or raise that"
            )

    @property
    def max_streams(self) -> int:
        """How many readers of the revocation feed a worker has at once: requests need connections, too."""
        return self.revocation_feed.max_streams or max(self.server.max_connections // 2, 1)

    def _lives(self) -> list[tuple[str, int | None]]:
        clients = [(f"static.clients.{name}.token_life", one.token_life) for name, one in self.static.clients.items()]
        return clients + [(f"static.apis.{name}.token_life", one.token_life) for name, one in self.static.apis.items()]
