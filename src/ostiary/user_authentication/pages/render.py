"""Renders a page: Jinja2 with escaping everywhere, a strict Content-Security-Policy, nothing from third parties."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)

from ostiary.authorization_server.browser import browser_forms
from ostiary.authorization_server.browser.cookies import BrowserSecrets, Header
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import ConfigurationError
from ostiary.settings.sections import PagesSettings
from ostiary.user_authentication.pages import assets
from ostiary.user_authentication.pages.languages import choose
from ostiary.user_authentication.pages.words import Words, languages

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

TEMPLATES = Path(__file__).parent / "templates"
OURS = "ostiary"
"""``{% extends "ostiary/sign-in.html" %}`` names our template where the operator's own has the same name."""


def render(
    server: AuthorizationServer,
    request: Request,
    secrets: BrowserSecrets,
    template: str,
    *,
    status: int = 200,
    headers: tuple[Header, ...] = (),
    form_targets: tuple[str, ...] = (),
    ui_locales: str = "",
    **context: object,
) -> Response:
    """The page ``template`` (without ``.html``) for this request.

    form_targets: origins, or schemes with a colon, to which a form of this page may lead by a redirect, besides this
    site: browsers hold ``form-action`` against the whole way. ui_locales: of the authorization request. context: what
    the comment at the top of the template names. What every template gets besides is named in ``base.html``.
    """
    settings = server.settings.pages
    accepted = request.headers.get(b"accept-language", b"").decode("latin-1")
    words = Words(choose(languages(), ui_locales, accepted, settings.language))
    shared = {
        "csrf": browser_forms.token(server, secrets),
        "application_name": server.settings.sign_in.application_name,
        **_places(server.issuer, settings),
        "lang": words.language,
        "t": words.t,
        "words": words.words,
        "when": words.when,
        "day": words.day,
    }
    body = environment(settings.templates_dir).get_template(f"{template}.html").render(**shared, **context)
    told = (*_headers(form_targets), (b"content-language", words.language.encode("ascii")), *headers)
    return Response(status, told, body.encode("utf-8"))


ALONE: tuple[Header, ...] = ((b"cross-origin-opener-policy", b"same-origin"),)
"""For pages that no other site opens in a window of its own. Those of a sign-in are opened so by applications, which
then wait for the window to come back to them; under this header it never would."""


def check(settings: PagesSettings) -> None:
    """Compile the operator's own templates and read their files, so that a fault shows at the start.

    Raises ConfigurationError that names file, line and fault.
    """
    assets.of(settings)
    if settings.templates_dir is None:
        return
    loaded = environment(settings.templates_dir)
    for file in sorted(settings.templates_dir.rglob("*.html")):
        name = file.relative_to(settings.templates_dir).as_posix()
        try:
            loaded.get_template(name)
        except TemplateSyntaxError as error:
            raise ConfigurationError(f"{file}, line {error.lineno}: {error.message}.") from None
        except (TemplateError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} is no template: {error}.") from None


@cache
def environment(templates_dir: Path | None) -> Environment:
    """Our templates, and before them those of the operator's with the same name."""
    ours = FileSystemLoader(TEMPLATES)
    loaders: list[BaseLoader] = [] if templates_dir is None else [FileSystemLoader(templates_dir)]
    return Environment(
        loader=ChoiceLoader([*loaders, ours, PrefixLoader({OURS: ours})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _places(issuer: str, settings: PagesSettings) -> dict[str, object]:
    base = issuer.rstrip("/")
    files = assets.of(settings)

    def asset(name: str) -> str:
        return f"{base}/assets/{name}?v={files[name].version}"

    return {
        "issuer": issuer,
        "issuer_host": urlsplit(issuer).netloc,
        "base": base,
        "asset": asset,
        "has_theme": assets.THEME in files,
    }


def _headers(form_targets: tuple[str, ...]) -> tuple[Header, ...]:
    # RFC 9700 4.16: "Authorization servers MUST prevent clickjacking attacks ... X-Frame-Options ... CSP".
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        f"form-action {' '.join((chr(39) + 'self' + chr(39), *form_targets))}"
    )
    return (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", policy.encode("ascii")),
        (b"x-frame-options", b"DENY"),
        # RFC 9700 4.2.4: nothing of these URLs for other sites. Not "no-referrer": under it browsers send the forms of
        # these very pages with "Origin: null", which stands for nobody.
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
    )
