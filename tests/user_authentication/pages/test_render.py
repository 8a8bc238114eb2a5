"""The headers of a page, the operator's own look, and the files that are served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import ConfigurationError
from ostiary.settings.load import validated
from ostiary.settings.sections import PagesSettings
from ostiary.user_authentication.pages import assets, check, render
from tests.authorization_server.world import ISSUER, World
from tests.user_authentication.pages.examples import examples
from tests.user_authentication.pages.rendering import Page, answer

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>evil()</script></svg>'


@pytest.fixture
def own(world: World) -> Iterator[Any]:
    """Sets ``[pages]`` of the world; afterwards they are as before."""
    before = world.server.settings

    def set_pages(**pages: Any) -> None:
        world.server.settings = before.model_copy(update={"pages": PagesSettings(**pages)})

    yield set_pages
    world.server.settings = before


def policy(response: Response) -> dict[str, str]:
    text = dict(response.headers)[b"content-security-policy"].decode()
    return {part.split()[0]: " ".join(part.split()[1:]) for part in text.split(";")}


@pytest.mark.parametrize("name", examples())
def test_every_page_is_kept_out_of_frames_caches_and_referrers(world: World, name: str) -> None:
    """RFC 9700 4.16 and 4.2.4."""
    response = answer(world, name.partition(":")[0], **examples()[name])
    headers = dict(response.headers)
    assert policy(response)["frame-ancestors"] == "'none'"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"referrer-policy"] == b"same-origin"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"access-control-allow-origin" not in headers


def test_nothing_inline_and_nothing_of_third_parties_is_allowed(world: World) -> None:
    found = policy(answer(world, "error", **examples()["error"]))
    assert found["default-src"] == found["base-uri"] == "'none'"
    assert {found[name] for name in ("script-src", "style-src", "connect-src", "form-action")} == {"'self'"}
    assert "unsafe" not in str(found)


def test_a_form_leads_elsewhere_only_where_its_endpoint_says_so(world: World) -> None:
    response = render(
        world.server,
        Request("GET", "/", {}),
        BrowserSecrets("browser"),
        "form-post",
        form_targets=("https://printer.example.com",),
        **examples()["form-post"],
    )
    assert policy(response)["form-action"] == "'self' https://printer.example.com"


def test_ui_locales_go_before_the_browsers_language(world: World) -> None:
    request = Request("GET", "/", {b"accept-language": b"en"})
    response = render(world.server, request, BrowserSecrets(), "signed-out", ui_locales="fr de")
    assert dict(response.headers)[b"content-language"] == b"de"
    assert Page(response.body.decode()).named("html") == [{"lang": "de"}]


def test_the_setting_language_is_for_whom_there_is_no_other(world: World, own: Any) -> None:
    own(language="de")
    assert 'lang="de"' in answer(world, "signed-out", "fr").body.decode()


def test_a_template_of_ones_own_stands_in_the_place_of_ours(world: World, own: Any, folder: Path) -> None:
    (folder / "signed-out.html").write_text('{% extends "ostiary/signed-out.html" %}{% block title %}Bye{% endblock %}')
    own(templates_dir=folder)
    text = answer(world, "signed-out").body.decode()
    assert "<title>Bye · Ostiary</title>" in text
    assert "You are signed out" in text


def test_a_value_is_escaped_in_a_template_of_ones_own_too(world: World, own: Any, folder: Path) -> None:
    (folder / "error.html").write_text("{{ message }}")
    own(templates_dir=folder)
    assert answer(world, "error", kind="fault", message="<b>").body == b"&lt;b&gt;"


def test_a_template_that_is_none_is_named_at_the_start(folder: Path) -> None:
    (folder / "error.html").write_text("fine\n{% if %}")
    with pytest.raises(ConfigurationError, match=r"error\.html, line 2: "):
        check(PagesSettings(templates_dir=folder))


def test_the_logo_and_the_style_of_ones_own_are_served(world: World, own: Any, tmp_path: Path) -> None:
    (tmp_path / "door.svg").write_text(SVG)
    (tmp_path / "door.css").write_text(":root { --ost-accent: #123456; }")
    own(logo_file=tmp_path / "door.svg", css_file=tmp_path / "door.css")
    page = Page(answer(world, "signed-out").body.decode())
    sheets = [one["href"].partition("?")[0] for one in page.named("link") if one["rel"] == "stylesheet"]
    assert sheets == [f"{ISSUER}/assets/ostiary.css", f"{ISSUER}/assets/theme.css"]
    logo = world.get("/assets/logo")
    assert (logo.status, logo.headers["content-type"], logo.body.decode()) == (200, "image/svg+xml", SVG)
    # Opened by itself, a picture of anybody's can run nothing.
    assert "sandbox" in logo.headers["content-security-policy"]
    assert "script" not in logo.headers["content-security-policy"]
    assert world.get("/assets/theme.css").body == b":root { --ost-accent: #123456; }"


def test_without_a_style_of_ones_own_there_is_none(world: World) -> None:
    assert world.get("/assets/theme.css").status == 404
    assert "theme.css" not in answer(world, "signed-out").body.decode()


@pytest.mark.parametrize(
    ("setting", "name", "sentence"),
    [
        ("templates_dir", "nowhere", r"templates_dir .*nowhere is no folder: make it"),
        ("logo_file", "logo.gif", r"logo_file .* must end in \.svg or \.png"),
        ("logo_file", "logo.png", r"logo_file .* is not there: put it there"),
        ("css_file", "big.css", r"css_file .* is larger than 512 KiB: make it smaller"),
    ],
)
def test_a_setting_that_does_not_fit_names_its_mend(tmp_path: Path, setting: str, name: str, sentence: str) -> None:
    (tmp_path / "logo.gif").touch()
    (tmp_path / "big.css").write_bytes(b" " * (512 * 1024 + 1))
    tables = {"issuer": ISSUER, "pages": {setting: name}}
    with pytest.raises(ConfigurationError, match=sentence):
        validated(tables, tmp_path, "ostiary.toml")


@pytest.mark.parametrize("name", [name for name in assets.names() if name != "theme.css"])
def test_a_file_is_kept_for_good_under_its_version_alone(world: World, name: str) -> None:
    version = assets.of(world.server.settings.pages)[name].version
    named = world.get(f"/assets/{name}?v={version}")
    assert named.status == 200
    assert named.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert named.headers["x-content-type-options"] == "nosniff"
    for other in ("", "?v=", "?v=0000000000000000", f"?v=0&v={version}"):
        assert world.get(f"/assets/{name}{other}").headers["cache-control"] == "public, no-cache"
    again = world.get(f"/assets/{name}", if_none_match=f'W/"{version}"')
    assert (again.status, again.body) == (304, b"")


def test_every_file_has_its_type(world: World) -> None:
    types = {name: world.get(f"/assets/{name}").headers["content-type"] for name in ("ostiary.css", "form-post.js")}
    assert types == {"ostiary.css": "text/css; charset=utf-8", "form-post.js": "text/javascript; charset=utf-8"}


@pytest.mark.parametrize("path", ["/assets/", "/assets/../render.py", "/assets/none.css", "/assets/ostiary.css/"])
def test_nothing_else_is_served(world: World, path: str) -> None:
    assert world.get(path).status == 404
