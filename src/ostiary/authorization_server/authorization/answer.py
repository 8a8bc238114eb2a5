"""How an authorization request is answered: RFC 6749 4.1.2, RFC 9207, OAuth 2.0 Form Post Response Mode."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from ostiary.authorization_server.authorization.request import AuthorizationRequest
from ostiary.authorization_server.browser.cookies import BrowserSecrets, Header
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import OAuthError
from ostiary.user_authentication.pages import render

_NO_STORE: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def see_other(url: str, headers: tuple[Header, ...] = ()) -> Response:
    """A redirect after which the browser sends no form again: RFC 9700 4.12, "MUST NOT use the HTTP 307"."""
    return Response(303, ((b"location", url.encode("ascii")), *_NO_STORE, *headers), b"")


def answer(
    request: AuthorizationRequest,
    http: Request,
    secrets: BrowserSecrets,
    members: dict[str, str],
    headers: tuple[Header, ...] = (),
) -> Response:
    """Send the browser to the client with ``members``, with ``state`` and ``iss``.

    "In authorization responses to the client, including error responses, an authorization server supporting this
    specification MUST indicate its identity by including the iss parameter" RFC 9207 2.
    """
    told = dict(members)
    if request.state is not None:
        told["state"] = request.state
    told["iss"] = request.server.issuer
    if request.response_mode == "form_post":
        return render(
            request.server,
            http,
            secrets,
            "form-post",
            headers=headers,
            form_targets=form_targets(request.redirect_uri),
            action=request.redirect_uri,
            fields=told,
        )
    joint = "&" if "?" in request.redirect_uri else "?"
    return see_other(f"{request.redirect_uri}{joint}{urlencode(told)}", headers)


def error_members(error: OAuthError, trace_id: str) -> dict[str, str]:
    """What a client is told of a refusal: RFC 6749 4.1.2.1, and the trace by which its operator can explain it."""
    return {"error": error.code, "error_description": error.description, "trace": trace_id}


def form_targets(redirect_uri: str) -> tuple[str, ...]:
    """Where the forms on the way of a request may lead in the end: the origin of its client, or its scheme."""
    parts = urlsplit(redirect_uri)
    return (f"{parts.scheme}://{parts.netloc}",) if parts.scheme in ("http", "https") else (f"{parts.scheme}:",)
