"""A small browser for the demo: it keeps cookies, follows redirects and sends forms; pages need no JavaScript."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import httpx2

from demo.checks import StepFailed

_MOST_REDIRECTS = 10


@dataclass(slots=True)
class Form:
    """A form of a page. action: as it stands there, "" for the page's own URL; fields: those with a value."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Browser:
    """Pages of one origin; a redirect that leads away from there is not followed, but told."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.url = ""
        self.text = ""
        self._http = httpx2.Client(timeout=30.0)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def open(self, url: str) -> str | None:
        """Show the page at ``url``; or, where it redirects to another origin, the address there. Raises StepFailed."""
        return self._go("GET", url, None)

    def send(self, form_id: str, **typed: str) -> str | None:
        """Send a form of the present page with what was ``typed`` into it (and the button that was pressed)."""
        form = self.forms().get(form_id)
        if form is None:
            raise StepFailed(f"{self.url} has no form {form_id}: {self.text[:500]}")
        return self._go("POST", urljoin(self.url, form.action), form.fields | typed)

    def forms(self) -> dict[str, Form]:
        """The forms of the present page by their id."""
        return read_forms(self.text)

    def _go(self, method: str, url: str, fields: dict[str, str] | None) -> str | None:
        for _ in range(_MOST_REDIRECTS):
            # A browser says by itself where a form comes from; the server refuses forms from elsewhere.
            headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"} if method == "POST" else {}
            answer = self._http.request(method, url, data=fields, headers=headers)
            self.url, self.text = url, answer.text
            location = answer.headers.get("location")
            if location is None:
                if answer.status_code != 200:
                    raise StepFailed(f"{urlsplit(url).path} answered {answer.status_code}: {answer.text[:500]}")
                return None
            url = urljoin(url, location)
            if not url.startswith(f"{self.origin}/"):
                return url
            # RFC 9110 15.4.4: after a 303 the browser asks by GET, so the password is not sent on.
            method, fields = "GET", None
        raise StepFailed(f"more than {_MOST_REDIRECTS} redirects, the last to {url}")


def read_forms(page: str) -> dict[str, Form]:
    """The forms of an HTML page by their id."""
    reader = _FormReader()
    reader.feed(page)
    return reader.forms


class _FormReader(HTMLParser):
    """Reads the forms of a page with the fields that are filled in already, such as the hidden ones."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = self.forms[has.get("id", "")] = Form(has.get("action", ""))
        elif tag == "input" and self._open is not None and "name" in has and "value" in has:
            self._open.fields[has["name"]] = has["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
