"""Renders a page as an endpoint would, and takes it apart as a browser would."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.http import Request, Response
from ostiary.user_authentication.pages import render
from tests.authorization_server.world import World

EMPTY = {"meta", "link", "img", "input", "br"}


def shown(world: World, template: str, language: str = "en", /, **context: Any) -> str:
    """The HTML of the page, for a browser that wants ``language``."""
    return answer(world, template, language, **context).body.decode()


def answer(world: World, template: str, language: str = "en", /, **context: Any) -> Response:
    request = Request("GET", "/", {b"accept-language": language.encode()})
    return render(world.server, request, BrowserSecrets("browser", "session"), template, **context)


@dataclass
class Page(HTMLParser):
    """Every element with its attributes, every text, and what was opened and not closed."""

    text: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        assert len(attrs) == len(dict(attrs)), f"an attribute stands twice in {self.get_starttag_text()}"
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> was never opened"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def by_id(self, one: str) -> dict[str, str]:
        return next(attributes for _, attributes in self.elements if attributes.get("id") == one)
