"""Renders a page: Jinja2 with escaping everywhere, a strict Content-Security-Policy, nothing from third parties."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ostiary.authorization_server import browser_forms
from ostiary.authorization_server.cookies import BrowserSecrets, Header
from ostiary.authorization_server.http import Request, Response

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

_TEMPLATES = Path(__file__).parent / "templates"


def render(
    server: AuthorizationServer,
    request: Request,
    secrets: BrowserSecrets,
    template: str,
    *,
    status: int = 200,
    headers: tuple[Header, ...] = (),
    form_targets: tuple[str, ...] = (),
    **context: object,
) -> Response:
    """The page ``template`` (without ``.html``) for this request.

    form_targets: origins, or schemes with a colon, to which a form of this page may lead by a redirect, besides this
    site: browsers hold ``form-action`` against the whole way. context: what the template names.
    Every template also gets ``csrf``, ``issuer``, ``application_name`` and ``base`` (where the pages stand).
    """
    base = server.issuer.rstrip("/")
    shared = {
        "csrf": browser_forms.token(server, secrets),
        "issuer": server.issuer,
        "application_name": server.settings.sign_in.application_name,
        "base": base,
    }
    body = _environment().get_template(f"{template}.html").render(**shared, **context)
    return Response(status, (*_headers(form_targets), *headers), body.encode("utf-8"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _headers(form_targets: tuple[str, ...]) -> tuple[Header, ...]:
    # RFC 9700 4.16: "Authorization servers MUST prevent clickjacking attacks ... X-Frame-Options ... CSP".
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {' '.join((chr(39) + 'self' + chr(39), *form_targets))}"
    )
    return (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", policy.encode("ascii")),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-opener-policy", b"same-origin"),
    )
