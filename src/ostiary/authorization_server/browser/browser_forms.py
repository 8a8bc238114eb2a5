"""Forms that a browser sends from our own pages, protected against being sent by anybody else's (ASVS 3.5).

Three walls, each enough alone: the cookies are SameSite=Lax; ``Sec-Fetch-Site`` and ``Origin``, where the browser sends
them, must name this very origin; and the form carries a token that is sealed for this browser's own secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.exchange import read_form
from ostiary.authorization_server.http import Request
from ostiary.errors import OAuthError, VerificationError

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

FIELD = "csrf"
_PURPOSE = "form"


def token(server: AuthorizationServer, secrets: BrowserSecrets) -> str:
    """What a form of this browser carries in its hidden field ``csrf``."""
    return server.seals.seal_text(_PURPOSE, b"", context=secrets.browser_digest)


def read(server: AuthorizationServer, request: Request, secrets: BrowserSecrets) -> dict[str, str]:
    """The fields of a form that was sent from a page of ours in this browser.

    Raises OAuthError("invalid_request", 403): it came from elsewhere; (400): it is malformed.
    """
    site = request.headers.get(b"sec-fetch-site", b"same-origin")
    origin = request.headers.get(b"origin")
    if site not in (b"same-origin", b"none"):
        raise _foreign(f"sent from {site.decode('latin-1')}")
    if origin is not None and origin.decode("latin-1") != _origin(server.issuer):
        raise _foreign("another origin")
    form = read_form(request)
    if not secrets.browser:
        raise _foreign("a browser without its cookie")
    try:
        server.seals.open_text(_PURPOSE, form.get(FIELD, ""), context=secrets.browser_digest)
    except VerificationError:
        raise _foreign("no token of this browser") from None
    return form


def _origin(issuer: str) -> str:
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _foreign(seen: str) -> OAuthError:
    return OAuthError(
        "invalid_request",
        "this form was not sent from its own page",
        status=403,
        check="csrf",
        seen=seen,
        expected="a form of this site, in this browser",
        mend="open the page again and send it from there; the browser must accept cookies",
    )
