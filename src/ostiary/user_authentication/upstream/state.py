"""What goes to the provider as ``state``, and comes back: sealed, for one browser, one provider, a short time, once.

The code verifier and the nonce are made from its random name under keys of ours, so neither stands in it (RFC 9700
2.1.1; CVE-2026-34511: a verifier that was the state).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.errors import VerificationError
from ostiary.protocol import base64url
from ostiary.storage.base import UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

LIFE: Final = 900
"""Seconds that a person may take at the provider."""

STATE: Final = "upstream_state"
_PURPOSE: Final = "upstream state"


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """name: 128 random bits. started_at: seconds since the epoch. interaction: what the sign-in is for.

    max_age: seconds within which the user must have signed in at the provider, None if that does not matter.
    link_session: where no sign-in but a link was asked for, the session of the user who asked.
    """

    upstream: str
    name: str
    started_at: int
    interaction: Interaction
    max_age: int | None = None
    link_session: str = ""


_DECODER = msgspec.json.Decoder(State)


def new_name() -> str:
    """A name that nobody can guess."""
    return secrets.token_urlsafe(16)


def verifier(server: AuthorizationServer, state: State) -> str:
    """The code verifier of this sign-in, RFC 7636 section 4.1."""
    return base64url.encode(server.seals.mac("upstream verifier", state.name.encode())).decode()


def nonce(server: AuthorizationServer, state: State) -> str:
    """The nonce of this sign-in, OpenID Connect Core 15.5.2."""
    return base64url.encode(server.seals.mac("upstream nonce", state.name.encode())).decode()


def seal(server: AuthorizationServer, state: State, browser: BrowserSecrets) -> str:
    """``state`` as text for this browser alone."""
    return server.seals.seal_text(_PURPOSE, msgspec.json.encode(state), context=browser.browser_digest)


def opened(server: AuthorizationServer, text: str, browser: BrowserSecrets, upstream: str, now: float) -> State:
    """The state in ``text``. Raises VerificationError: another browser's, another provider's, altered, or too old."""
    if not browser.browser:
        raise _stale("a browser without its cookie")
    try:
        state = _DECODER.decode(server.seals.open_text(_PURPOSE, text, context=browser.browser_digest))
    except msgspec.DecodeError:
        raise _stale("the state of another version") from None
    if state.upstream != upstream:
        # RFC 9700 4.4.2: a redirect URI of its own for each provider, "to identify the AS the response came from".
        raise _stale(f"a state for {state.upstream}, at the redirect URI of {upstream}")
    if now > state.started_at + LIFE:
        raise _stale("a state that is too old")
    return state


async def mark(work: UnitOfWork, state: State, now: float) -> None:
    """See to it that it is used once. Raises VerificationError."""
    begun, until = state.started_at, state.started_at + LIFE + 1
    first = await work.replay.mark(_PURPOSE, state.name, expires_at=until, usable_from=begun, now=int(now))
    if not first:
        raise _stale("a state that was used before")


def _stale(seen: str) -> VerificationError:
    return VerificationError(
        STATE,
        "this page has expired",
        seen=seen,
        expected=f"the answer to what this browser began at this provider within {LIFE} s, for the first time",
        mend="go back and begin again",
    )
