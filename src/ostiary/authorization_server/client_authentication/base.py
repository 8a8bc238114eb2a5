"""What a client authentication method is, and what it leaves behind: RFC 6749 section 2.3, RFC 7521 section 4.2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ostiary.authorization_server.http import Request
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.client import Client
from ostiary.protocol.checks import ALGORITHM, KEY, SIGNATURE, Note

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

Form = Mapping[str, str]
UNPROVEN = "client authentication failed"
NONE = "none"
"""The registered method of a public client, RFC 7591 section 2."""
SECRET = "secret"
"""The check of a client secret."""

# These would tell a stranger which clients and keys exist, so all of them are told in the same words.
_TELLTALE = frozenset((KEY, ALGORITHM, SIGNATURE))


def _nothing_to_repeat(note: Note) -> None:
    """A method that has a single check has nothing to tell of the checks before it."""


class Authenticated(msgspec.Struct, frozen=True):
    """A client that has proven itself.

    key_thumbprint: of the key that proved it (RFC 7638) or the certificate (``x5t#S256``); "" if neither did.
    jti, mark_until: what must be marked as used, and until when (seconds since the epoch), in the answer's transaction;
        "" if nothing is used up.
    usable_from: the earliest second in which that can have been accepted here.
    retrace: repeats the checks for a trace; called for refusals only, so that successes need not describe themselves.
    """

    client: Client
    key_thumbprint: str = ""
    jti: str = ""
    mark_until: int = 0
    usable_from: int = 0
    retrace: Callable[[Note], object] = _nothing_to_repeat

    @property
    def is_public(self) -> bool:
        """Whether it has named itself only: RFC 6749 section 2.1, a public client."""
        return self.client.authentication_method == NONE


class Attempt(msgspec.Struct, frozen=True):
    """A credential that was presented: by whom it claims to be, and the rest of the method once the client is known.

    workload: the SPIFFE ID that it claims, where that and no client_id names the client.
    """

    client_id: str
    prove: Callable[[AuthorizationServer, Client | None, float, Note], Awaitable[Authenticated]]
    workload: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to prove a client; ``name`` is its registered name.

    presented: whether a request carries its credential. attempt: takes the credential apart (VerificationError).
    signing_algorithms: for the metadata, empty if the method has none.
    proves: False for the method of public clients, which name themselves only; it is for endpoints that say so.
    by_certificate: whether the credential is the certificate of the connection, which every kind of client may show.
    """

    name: str
    presented: Callable[[Request, Form], bool]
    attempt: Callable[[Request, Form], Attempt]
    signing_algorithms: tuple[str, ...] = ()
    proves: bool = True
    by_certificate: bool = False


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


def refused(check: str, *, seen: str = "", expected: str = "", mend: str = "", public: str = UNPROVEN) -> OAuthError:
    """The refusal of a client; ``public`` is the same for all that a stranger must not tell apart."""
    return OAuthError("invalid_client", public, status=401, check=check, seen=seen, expected=expected, mend=mend)
