"""What a browser is in the middle of: an authorization request, or the way to the account page; sealed, in its URLs.

The state travels with the browser, so nothing is written for a person who has not signed in, and a request survives the
sign-in, a second tab, the back button and a restart. It opens only beside the browser's own cookie: "every login step
is tied to the browser's cookie, not to a URL handle", so a link made by somebody else leads nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.errors import VerificationError

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

LIFE = 3600
"""Seconds that a person may take from the first page to the last."""

PARAMETER = "interaction"
_PURPOSE = "interaction"


class Interaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """parameters: of the validated authorization request, empty on the way to the account page.

    resources: every ``resource`` of it (RFC 8707 allows several). started_at: seconds since the epoch.
    user_id, amr: who has proved themselves on these pages so far, and how; ``amr`` is not yet enough where a second
    factor is missing. proved_at: when the first of the methods was proved. first_proofs: a digest of what the user
    could begin a sign-in by at that moment.
    session_id: the account that was chosen or signed in to, "" as long as none was; signed_in_at: when these very
    pages ended in a sign-in, 0 as long as they did not. step_up: the user of that session adds a method to the others.
    """

    started_at: int
    parameters: dict[str, str] = {}
    resources: tuple[str, ...] = ()
    user_id: str = ""
    amr: tuple[str, ...] = ()
    proved_at: int = 0
    first_proofs: str = ""
    session_id: str = ""
    signed_in_at: int = 0
    step_up: bool = False


_DECODER = msgspec.json.Decoder(Interaction)


def seal(server: AuthorizationServer, interaction: Interaction, secrets: BrowserSecrets) -> str:
    """``interaction`` as text for this browser alone."""
    return server.seals.seal_text(_PURPOSE, msgspec.json.encode(interaction), context=secrets.browser_digest)


def unseal(server: AuthorizationServer, text: str, secrets: BrowserSecrets, now: float) -> Interaction:
    """The interaction in ``text``. Raises VerificationError: made for another browser, altered, or too old."""
    if not secrets.browser:
        raise _stale("a browser without its cookie")
    plain = server.seals.open_text(_PURPOSE, text, context=secrets.browser_digest)
    try:
        interaction = _DECODER.decode(plain)
    except msgspec.DecodeError:
        raise _stale("the state of another version") from None
    if now > interaction.started_at + LIFE:
        raise _stale("a state that is too old")
    return interaction


def with_account(interaction: Interaction, session_id: str, *, step_up: bool = False) -> Interaction:
    """The same, for the account of this session ("": for nobody yet)."""
    return msgspec.structs.replace(interaction, session_id=session_id, step_up=step_up)


def url(server: AuthorizationServer, path: str, sealed: str) -> str:
    """The URL of the page at ``path`` (such as ``/sign-in``) on the way of this interaction."""
    return f"{server.issuer.rstrip('/')}{path}?{urlencode({PARAMETER: sealed})}"


def _stale(seen: str) -> VerificationError:
    return VerificationError(
        _PURPOSE,
        "this page has expired",
        seen=seen,
        expected=f"a page opened in this browser within {LIFE} s",
        mend="go back to the application and begin again",
    )
