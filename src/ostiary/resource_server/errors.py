"""The refusals of an API: RFC 6750 section 3.1, with JSON bodies and trace ids."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ostiary.errors import OstiaryError, Unavailable, VerificationError
from ostiary.protocol import challenges
from ostiary.protocol.checks import EXPIRY, KEY
from ostiary.resource_server.signed_in_user import InsufficientUserAuthentication, SignInDemand

CREDENTIAL = "credential"
REQUEST = "request"
REVOCATION = "revocation"
INTROSPECTION = "introspection"
REPLAY = "replay"
SCOPES = "scopes"


class MissingCredential(VerificationError):
    """Nothing was presented that this API could verify: 401 without an error code."""

    def __init__(
        self, seen: str, *, mend: str = "send Authorization: Bearer with an access token for this API"
    ) -> None:
        super().__init__(CREDENTIAL, "no access token", seen=seen, expected="an access token", mend=mend)


class MalformedRequest(VerificationError):
    """The request presents credentials in a way that no request may: 400 ``invalid_request``."""

    def __init__(self, public: str, *, seen: str = "", expected: str = "", mend: str = "") -> None:
        super().__init__(REQUEST, public, seen=seen, expected=expected, mend=mend)


class InsufficientScope(VerificationError):
    """Known, but not allowed: 403 ``insufficient_scope``."""

    def __init__(self, needed: Sequence[str], missing: Sequence[str], held: Sequence[str]) -> None:
        super().__init__(
            SCOPES,
            "insufficient scope",
            seen=" ".join(sorted(held)) or "no scope",
            expected=" ".join(needed),
            mend=f"ask for a token with the scope {' '.join(missing)}",
        )
        self.needed = tuple(needed)


class Refused(OstiaryError):
    """A finished refusal: what the shell answers with.

    status: 400, 401, 403 or 503; code, description: the public error; trace_id: for ``ostiary explain``.
    headers: ``WWW-Authenticate`` or ``Retry-After``, ``Cache-Control``, ``Content-Type``.
    """

    def __init__(self, status: int, code: str, description: str, trace_id: str, headers: dict[str, str]) -> None:
        super().__init__(f"{status} {code}: {description} ({trace_id})")
        self.status = status
        self.code = code
        self.description = description
        self.trace_id = trace_id
        self.headers = {**headers, "Cache-Control": "no-store", "Content-Type": "application/json"}

    @property
    def content(self) -> dict[str, str]:
        """The members of the JSON body."""
        return {"error": self.code, "error_description": self.description, "trace": self.trace_id}

    @property
    def body(self) -> bytes:
        """The JSON body."""
        return msgspec.json.encode(self.content)


def refusal(
    error: OstiaryError, trace_id: str, *, needed: Sequence[str] = (), resource_metadata: str | None = None
) -> Refused:
    """What the caller is told about ``error``; the whole story stays behind ``trace_id``.

    needed: every scope that the operation needs; resource_metadata: the URL of RFC 9728.
    """
    if isinstance(error, Unavailable):
        retry = {"Retry-After": str(error.retry_after)}
        return Refused(503, "temporarily_unavailable", "temporarily unavailable", trace_id, retry)
    if not isinstance(error, VerificationError):
        return Refused(503, "server_error", "internal error", trace_id, {})
    status, code = _status_and_code(error)
    demand = error.demand if isinstance(error, InsufficientUserAuthentication) else SignInDemand()
    challenge = challenges.bearer(
        # RFC 6750 3.1: "If the request lacks any authentication information (...), the resource server SHOULD NOT
        # include an error code or other error information."
        error=None if isinstance(error, MissingCredential) else code,
        error_description=None if isinstance(error, MissingCredential) else error.public,
        scope=" ".join(needed) or None if status in (401, 403) else None,
        resource_metadata=resource_metadata,
        acr_values=" ".join(demand.acr_values) or None,
        max_age=None if demand.max_age is None else str(demand.max_age),
        trace=trace_id,
    )
    return Refused(status, code, error.public, trace_id, {"WWW-Authenticate": challenge})


def _status_and_code(error: VerificationError) -> tuple[int, str]:
    if isinstance(error, MalformedRequest):
        return 400, "invalid_request"
    if isinstance(error, InsufficientScope):
        return 403, "insufficient_scope"
    if isinstance(error, InsufficientUserAuthentication):
        return 401, "insufficient_user_authentication"  # RFC 9470 3
    return 401, "invalid_token"


def expired(expires_at: float, now: float) -> VerificationError:
    """The refusal of a token that was good once."""
    return VerificationError(
        EXPIRY, "expired", seen=f"{expires_at:.0f}", expected=f"later than {now:.0f}", mend="get a new one"
    )


def inactive() -> VerificationError:
    """The refusal of a reference token that its issuer does not call active (RFC 7662 section 2.2)."""
    return VerificationError(
        INTROSPECTION,
        "token not active",
        seen='"active": false',
        expected='"active": true',
        mend="get a new token: this one has expired, was revoked, or was never for this API",
    )


def unknown_key(seen: str, owner: str) -> VerificationError:
    """The refusal of a signature whose key nobody vouches for."""
    return VerificationError(
        KEY,
        "unknown key",
        seen=seen,
        expected=f"a present key of {owner}",
        mend="get a new token; if the key is new, it is known within 15 seconds",
    )
