"""Settings of the OpenID Providers at which users may have an account to sign in with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from ostiary.errors import ConfigurationError
from ostiary.protocol.metadata import check_issuer_url
from ostiary.settings.fields import Algorithms, FilePath, Section, Texts
from ostiary.settings.upstream_signals import UpstreamSignalSettings

UpstreamName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]


class UpstreamSettings(Section):
    """``[upstream.NAME]``: a provider; NAME stands in the redirect URI, ``<our issuer>/upstream/NAME/callback``.

    issuer: exactly as the provider's metadata writes it. client_id, and one of client_secret (in the environment's
    stead a file, client_secret_file) and private_key_file (private_key_jwt): what the provider knows us by.
    name: what the sign-in page calls it. scopes: asked for, ``openid`` among them. algorithms: that its ID tokens may
    be signed with. create_users: whether somebody whom nobody here knows gets an account at their first sign-in.
    trust_amr: whether ``amr`` of its ID tokens counts here, where it tells of more than one factor.
    signals: how the provider tells us what becomes of its sessions and accounts.
    """

    issuer: str
    client_id: str = Field(min_length=1, max_length=256)
    client_secret: SecretStr | None = None
    client_secret_file: FilePath | None = None
    private_key_file: FilePath | None = None
    secret_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    name: str = Field(min_length=1, max_length=60)
    scopes: Texts = ("openid",)
    algorithms: Algorithms = ("ES256", "RS256", "PS256", "EdDSA", "Ed25519")
    create_users: bool = False
    trust_amr: bool = False
    signals: UpstreamSignalSettings | None = None

    @field_validator("issuer")
    @classmethod
    def _is_an_issuer(cls, issuer: str) -> str:
        try:
            return check_issuer_url(issuer, closing_slash=True)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _agree(self) -> UpstreamSettings:
        if "openid" not in self.scopes:
            raise ValueError('scopes must hold "openid": without it there is no ID token')
        given = [self.client_secret, self.client_secret_file, self.private_key_file]
        if sum(one is not None for one in given) != 1:
            raise ValueError("give one of client_secret_file, client_secret and private_key_file")
        return self
