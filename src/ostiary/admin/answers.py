"""What an operator is told of clients, keys, APIs and signing keys: the same members by command and by admin API.

No wrapped key is among them, and no secret but a client's new one: a member must be named here to leave the server.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ostiary.model.api import ApiSource, ApiState, TokenFormat
from ostiary.model.client import Client, ClientKind, ClientSource, ClientState
from ostiary.model.client_key import KeySource, KeyState
from ostiary.model.client_login import ApplicationType, SubjectType
from ostiary.model.signing_key import SigningKeyState, SigningKeyUse
from ostiary.protocol import certificate
from ostiary.protocol.certificate_subject import SubjectKind

Jwk = Annotated[dict[str, str], BeforeValidator(lambda text: json.loads(text) if isinstance(text, str) else text)]

Pem = Annotated[str, BeforeValidator(lambda der: certificate.read(der).pem if isinstance(der, bytes) else der)]


class Answer(BaseModel):
    """Made from a record of ``model`` by ``of``; times are seconds since the epoch."""

    model_config = ConfigDict(from_attributes=True)


class LoginAnswer(Answer):
    """What an application with users has registered; what its members mean is told in ``model.client_login``."""

    application_type: ApplicationType
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    id_token_alg: str
    userinfo_alg: str | None
    subject_type: SubjectType
    sector: str
    require_pkce: bool
    first_party: bool
    home_uri: str
    logo_uri: str
    backchannel_logout_uri: str | None
    backchannel_logout_session_required: bool
    refresh_token_life: int | None
    refresh_token_idle: int | None


class MutualTlsAnswer(Answer):
    """What a client has registered for mutual TLS; what its members mean is told in ``model.mutual_tls``."""

    subject_kind: SubjectKind | None
    subject_value: str
    bound_tokens: bool


class ClientAnswer(Answer):
    """A client; what its members mean is told in ``model.client``."""

    client_id: str
    name: str
    kind: ClientKind
    state: ClientState
    owner: str
    source: ClientSource
    authentication_method: str
    grant_types: list[str]
    scopes: dict[str, list[str]]
    token_life: int | None
    jwks_uri: str | None
    may_register_keys: bool
    max_concurrency: int
    created_at: int
    updated_at: int
    login: LoginAnswer | None
    mutual_tls: MutualTlsAnswer
    spiffe_id: str | None


class MadeClientAnswer(ClientAnswer):
    """A client with its new secret, which is told this once; null for a client that has none."""

    client_secret: str | None = Field(default=None, repr=False)

    @classmethod
    def of(cls, client: Client, secret: str | None) -> MadeClientAnswer:
        """The answer to the registration of ``client``, or to the renewal of its secret."""
        return cls.model_validate(client).model_copy(update={"client_secret": secret})


class ClientKeyAnswer(Answer):
    """A public key of a client; what its members mean is told in ``model.client_key``."""

    client_id: str
    kid: str
    thumbprint: str
    alg: str
    jwk: Jwk
    source: KeySource
    state: KeyState
    owner: str
    not_before: int
    expires_at: int | None
    parent: str | None
    created_at: int
    last_used_at: int | None
    certificate: Pem | None


class ApiAnswer(Answer):
    """An API; what its members mean is told in ``model.api``."""

    identifier: str
    name: str
    state: ApiState
    source: ApiSource
    owner: str
    client_id: str | None
    scopes: dict[str, str]
    token_format: TokenFormat
    token_alg: str
    token_life: int
    status_list: bool
    created_at: int
    updated_at: int


class SigningKeyAnswer(Answer):
    """A signing key of the installation, without its private half; see ``model.signing_key``."""

    kid: str
    use: SigningKeyUse
    alg: str
    state: SigningKeyState
    public_jwk: Jwk
    published_at: int
    activated_at: int | None
    retired_at: int | None
    remove_after: int | None


class RotationAnswer(Answer):
    """What a rotation did to the keys of one algorithm; ``at``: when the new key signs or began to."""

    use: SigningKeyUse
    alg: str
    outcome: Literal["switched", "scheduled", "withdrawn"]
    at: int
    old_kid: str
    new_kid: str


class TokenAnswer(Answer):
    """An access token that was issued, without its hash; see ``model.token``.

    ended_by: the kind of revocation that ended it, such as ``"jti"`` or ``"client"``; None if none has.
    """

    jti: str
    format: TokenFormat
    client_id: str
    subject: str
    grant_id: str
    audience: str
    scope: str
    key_thumbprint: str
    certificate_thumbprint: str
    signing_kid: str | None
    issued_at: int
    expires_at: int
    ended_by: str | None = None


class EndedTokenAnswer(TokenAnswer):
    """A token that was to be ended; ``ended_now``: whether it was good until now."""

    ended_now: bool


class AuditAnswer(Answer):
    """One event of the audit log; ``at`` is in milliseconds since the epoch; see ``model.audit_row``."""

    writer: str
    number: int
    at: int
    tag: str
    outcome: str
    actor: str
    target: str
    key_thumbprint: str
    reason: str
    trace_id: str
    details: dict[str, str]
    personal: dict[str, str] | None
    segment: int | None


class CheckAnswer(Answer):
    """One check of a decision."""

    name: str
    passed: bool
    seen: str
    expected: str
    mend: str


class TraceAnswer(Answer):
    """A refused decision; ``source``: ``"server"`` or the client_id of the API that sent it; see ``trace``."""

    trace_id: str
    at: float
    kind: str
    outcome: str
    public: str
    checks: list[CheckAnswer]
    context: dict[str, str]
    source: str


def plain(answer: Answer) -> dict[str, Any]:
    """The members as JSON would hold them."""
    return answer.model_dump(mode="json")
