"""The registration of an application with users, as typed members of the operator's commands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ostiary.model.application_uris import MAX_LENGTH
from ostiary.model.client_login import ApplicationType, LoginAlgorithm, SubjectType

STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
MAX_URIS = 50
_DAY = 86_400

GrantTypeName = Literal["authorization_code", "refresh_token", "client_credentials"]
Uri = Annotated[str, Field(max_length=MAX_LENGTH)]
Uris = Annotated[list[Uri], Field(max_length=MAX_URIS)]
RefreshLife = Annotated[int, Field(ge=60, le=3 * 365 * _DAY, description="seconds")]
RefreshIdle = Annotated[int, Field(ge=60, le=365 * _DAY, description="seconds")]
Sector = Annotated[str, Field(max_length=253, description="the host that pairwise subjects are told apart by")]


class NewLogin(BaseModel):
    """An application that signs users in; what its members mean is told in ``model.client_login``."""

    model_config = STRICT

    application_type: ApplicationType = "web"
    redirect_uris: Uris
    post_logout_redirect_uris: Uris = []
    id_token_alg: LoginAlgorithm = "ES256"
    userinfo_alg: LoginAlgorithm | None = None
    subject_type: SubjectType = "public"
    sector: Sector = ""
    require_pkce: bool = True
    first_party: bool = False
    home_uri: Uri = ""
    logo_uri: Uri = ""
    backchannel_logout_uri: Uri | None = None
    backchannel_logout_session_required: bool = True
    refresh_token_life: RefreshLife | None = None
    refresh_token_idle: RefreshIdle | None = None


class LoginChanges(BaseModel):
    """What may be changed of an application with users; what is absent stays.

    The kind of subjects and their sector stay as they were registered: else every user would be somebody else there.
    """

    model_config = STRICT

    redirect_uris: Uris | None = None
    post_logout_redirect_uris: Uris | None = None
    id_token_alg: LoginAlgorithm | None = None
    userinfo_alg: LoginAlgorithm | None = None
    require_pkce: bool | None = None
    first_party: bool | None = None
    home_uri: Uri | None = None
    logo_uri: Uri | None = None
    backchannel_logout_uri: Uri | None = None
    backchannel_logout_session_required: bool | None = None
    refresh_token_life: RefreshLife | None = None
    refresh_token_idle: RefreshIdle | None = None

    @field_validator(
        "redirect_uris",
        "post_logout_redirect_uris",
        "id_token_alg",
        "require_pkce",
        "first_party",
        "home_uri",
        "logo_uri",
        "backchannel_logout_session_required",
    )
    @classmethod
    def _is_not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null: leave it out to keep it as it is")
        return value


def members(command: NewLogin | LoginChanges) -> dict[str, Any]:
    """What was named, in the types of ``model.client_login``."""
    named = command.model_dump(exclude_unset=isinstance(command, LoginChanges))
    return {name: tuple(value) if isinstance(value, list) else value for name, value in named.items()}
