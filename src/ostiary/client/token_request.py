"""The token request of a client for itself and its answer: RFC 6749 sections 4.4 and 5.1, RFC 8707 section 2."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ostiary.client import answers
from ostiary.client.client_authentication import OwnProof, check_method
from ostiary.client.discovery import endpoint
from ostiary.client.exchange import Exchange, Question
from ostiary.protocol.checks import shown
from ostiary.protocol.metadata import AuthorizationServerMetadata

DEFAULT_LIFE = 300
MAX_LIFE = 86_400
MAX_TOKEN_LENGTH = 16_384
# RFC 6750 2.1: b64token; nothing that could end a header.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token as it came. Its representation never shows the value.

    obtained_at, expires_at: seconds since the epoch, by the clock of this client; scope: what was granted, where told.
    """

    value: str = field(repr=False)
    obtained_at: float
    expires_at: float
    scope: str | None = None


def scope_text(scope: str | Iterable[str] | None) -> str | None:
    """``scope`` as one text: tokens between single spaces, or None for "whatever I may have"."""
    tokens = scope.split() if isinstance(scope, str) else list(scope or ())
    return " ".join(tokens) or None


def request_token(
    proof: OwnProof, metadata: AuthorizationServerMetadata, *, resource: str | None, scope: str | None
) -> Exchange[AccessToken]:
    """Get a token for the API ``resource`` with ``scope`` (None: the server's default).

    Raises TokenRequestRefused, Unavailable, VerificationError for an answer that is not to be trusted,
    ConfigurationError.
    """
    check_method(metadata, proof)
    form = {"grant_type": "client_credentials"}
    form |= {name: value for name, value in (("resource", resource), ("scope", scope)) if value is not None}
    url = endpoint(metadata, "token_endpoint", mutual_tls=proof.mutual_tls)
    question = Question(url, "token endpoint", form | proof.parameters())
    asked_at = proof.now()
    answer = yield question
    return parse_token(question, answers.read_object(question, answer), asked_at=asked_at)


def parse_token(question: Question, members: dict[str, object], *, asked_at: float) -> AccessToken:
    """The token in a success answer (RFC 6749 section 5.1). Raises VerificationError("answer").

    The life is counted from the moment of asking, so that it ends here no later than at the server.
    """
    value, token_type = members.get("access_token"), members.get("token_type")
    if not isinstance(value, str) or len(value) > MAX_TOKEN_LENGTH or _TOKEN.fullmatch(value) is None:
        raise answers.unusable(question, "access_token missing or malformed", "a token of RFC 6750 2.1")
    # "The client MUST NOT use an access token if it does not understand the token type." RFC 6749 section 7.1
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise answers.unusable(question, f"token_type {shown(token_type)}", "Bearer")
    life = members.get("expires_in", DEFAULT_LIFE)
    if isinstance(life, bool) or not isinstance(life, int | float) or not 0 < life < float("inf"):
        raise answers.unusable(question, f"expires_in {shown(life)}", "a number of seconds above 0")
    scope = members.get("scope")
    return AccessToken(value, asked_at, asked_at + min(life, MAX_LIFE), scope if isinstance(scope, str) else None)
