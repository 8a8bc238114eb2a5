"""Scopes: what a request asks for, narrowed to what its client and its API allow (RFC 6749 section 3.3)."""

from __future__ import annotations

import re

from ostiary.errors import OAuthError
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.protocol.checks import SCOPE, shown

# scope = scope-token *( SP scope-token ), scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")


def allowed(client: Client, api: Api) -> tuple[str, ...]:
    """The scopes that ``client`` may have at ``api``: those that both of them name."""
    return tuple(name for name in client.scopes.get(api.identifier, ()) if name in api.scopes)


def names(asked: str) -> tuple[str, ...]:
    """The scopes in a text, each once; none if the text is malformed."""
    return tuple(dict.fromkeys(asked.split(" "))) if _SCOPE.fullmatch(asked) else ()


def granted(client: Client, api: Api, asked: str | None) -> tuple[str, ...]:
    """The scopes of a token for ``client`` at ``api``: those asked for, or if none are, all that it may have there.

    Raises OAuthError("invalid_scope") for a scope that the client or the API does not have.
    """
    possible = allowed(client, api)
    if asked is None:
        return possible
    # "If the issued access token scope is different from the one requested by the client, the authorization server MUST
    # include the 'scope' response parameter"; we never give less than was asked: what is not allowed is refused.
    wanted = names(asked)
    beyond = [name for name in wanted if name not in possible]
    if not wanted or beyond:
        raise _refused(asked, possible)
    return wanted


def _refused(asked: str, allowed: tuple[str, ...]) -> OAuthError:
    return OAuthError(
        "invalid_scope",
        "a scope is malformed or beyond what this client may have at this API",
        check=SCOPE,
        seen=shown(asked),
        expected=shown(" ".join(allowed)),
        mend="ask for less, or let the operator give the client the scope at this API",
    )
