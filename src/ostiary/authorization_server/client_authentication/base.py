"""What a client authentication method is, and what it leaves behind: RFC 6749 section 2.3, RFC 7521 section 4.2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.authorization_server.http import Request
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.client import Client
from ostiary.protocol.checks import ALGORITHM, KEY, SIGNATURE, Note

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

Form = Mapping[str, str]
UNPROVEN = "client authentication failed"
# These would tell a stranger which clients and keys exist, so all of them are told in the same words.
_TELLTALE = frozenset((KEY, ALGORITHM, SIGNATURE))


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A client that has proven itself.

    key_thumbprint: RFC 7638, of the key that proved it.
    jti, mark_until: what must be marked as used, and until when (seconds since the epoch), in the answer's transaction.
    retrace: repeats the checks for a trace; called for refusals only, so that successes need not describe themselves.
    """

    client: Client
    key_thumbprint: str
    jti: str
    mark_until: int
    retrace: Callable[[Note], object]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A credential that was presented: by whom it claims to be, and the rest of the method once the client is known."""

    client_id: str
    prove: Callable[[AuthorizationServer, Client | None, float, Note], Awaitable[Authenticated]]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to prove a client; ``name`` is its registered name.

    presented: whether a request carries its credential. attempt: takes the credential apart (VerificationError).
    signing_algorithms: for the metadata, empty if the method has none.
    """

    name: str
    presented: Callable[[Request, Form], bool]
    attempt: Callable[[Form], Attempt]
    signing_algorithms: tuple[str, ...] = ()


def invalid_client(error: VerificationError) -> OAuthError:
    """The answer to a failed proof: which check it was, unless that would tell a stranger what exists."""
    return OAuthError(
        "invalid_client",
        UNPROVEN if error.check in _TELLTALE else error.public,
        status=401,
        check=error.check,
        seen=error.seen,
        expected=error.expected,
        mend=error.mend,
    )


def refused(
    check: str, *, seen: str = "", expected: str = "", mend: str = "", public: str = UNPROVEN, basic: bool = False
) -> OAuthError:
    """The refusal of a client; ``public`` is the same for all that a stranger must not tell apart."""
    # "If the client attempted to authenticate via the 'Authorization' request header field, the authorization server
    # MUST respond with an HTTP 401 (Unauthorized) status code and include the 'WWW-Authenticate' response header
    # field matching the authentication scheme used by the client." RFC 6749 5.2
    headers = {"WWW-Authenticate": 'Basic realm="ostiary"'} if basic else None
    return OAuthError(
        "invalid_client", public, status=401, headers=headers, check=check, seen=seen, expected=expected, mend=mend
    )
