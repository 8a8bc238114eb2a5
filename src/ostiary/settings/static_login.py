"""The applications with users that stand in ``ostiary.toml``: ``[static.clients.<client_id>.login]``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ostiary.model.client_login import ApplicationType, ClientLogin, LoginAlgorithm, SubjectType
from ostiary.settings.fields import Section, Texts

_DAY = 86_400


class StaticLogin(Section):
    """What its members mean is told in ``model.client_login``."""

    application_type: ApplicationType = "web"
    redirect_uris: Texts
    post_logout_redirect_uris: Texts = ()
    id_token_alg: LoginAlgorithm = "ES256"
    userinfo_alg: LoginAlgorithm | None = None
    subject_type: SubjectType = "public"
    sector: str = ""
    require_pkce: bool = True
    first_party: bool = False
    home_uri: str = ""
    logo_uri: str = ""
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = True
    refresh_token_life: Annotated[int, Field(ge=60, le=3 * 365 * _DAY)] | None = None
    refresh_token_idle: Annotated[int, Field(ge=60, le=365 * _DAY)] | None = None

    def record(self) -> ClientLogin:
        """The same as a record."""
        members: dict[str, Any] = self.model_dump()
        return ClientLogin(**members)
