"""The commands of an operator about users, as typed, checked objects; the forms of names are ``accounts``' matter."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator

from ostiary.admin.login_commands import STRICT

MAX_BATCH = 100
"""Users in one unit of work of an import."""

Text = Annotated[str, Field(max_length=1000)]
Password = Annotated[str, Field(min_length=1, max_length=1024)]
Hash = Annotated[str, Field(min_length=1, max_length=1024)]
Claims = Annotated[dict[str, Any], Field(max_length=30, description="standard claims, OpenID Connect Core 5.1")]


class NewUser(BaseModel):
    """A person; without a password they cannot sign in until they get one, or another factor."""

    model_config = STRICT

    username: Text
    email: Text = ""
    email_verified: bool = False
    claims: Claims = Field(default_factory=dict)
    password: Password | None = Field(default=None, repr=False)


class UserChanges(BaseModel):
    """What may be changed of a user; what is absent stays. ``claims`` replaces all of them."""

    model_config = STRICT

    username: Text | None = None
    email: Text | None = None
    email_verified: bool | None = None
    claims: Claims | None = None

    @field_validator("username", "email", "email_verified", "claims")
    @classmethod
    def _is_not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null: leave it out to keep it as it is")
        return value


class NewPassword(BaseModel):
    """A password that the operator chose; better is a link by which the person chooses it (ASVS 6.4.6).

    keep_sessions: else every session of the user ends, because whoever knew the old password may be in one of them.
    """

    model_config = STRICT

    password: Password = Field(repr=False)
    keep_sessions: bool = False


class ImportedUser(BaseModel):
    """One line of an import. password_hash: argon2, bcrypt or PBKDF2; without one the user has no password."""

    model_config = STRICT

    username: Text
    email: Text = ""
    email_verified: bool = False
    claims: Claims = Field(default_factory=dict)
    password_hash: Hash | None = Field(default=None, repr=False)


class UserImport(BaseModel):
    """A batch of users, each judged by itself; standard claims may stand beside ``username`` as well."""

    model_config = STRICT

    users: Annotated[list[dict[str, Any]], Field(max_length=MAX_BATCH)]
