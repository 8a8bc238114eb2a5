"""A browser without a screen for the world of the tests: cookies, forms, redirects within the issuer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.authorization_server.world import Answer, World

_INPUT = re.compile(r"<(?:input|button)\b[^>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"', re.IGNORECASE)
_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.IGNORECASE | re.DOTALL)
_SET_COOKIE = re.compile(r"([^=]+)=([^;]*)(.*)")


@dataclass
class Browser:
    """One browser: what it keeps, and where it is."""

    world: World
    cookies: dict[str, str] = field(default_factory=dict)
    url: str = ""
    page: Answer | None = None

    def get(self, url: str, *, follow: bool = True) -> Answer:
        """Open ``url`` (absolute, or a path of the issuer) and follow redirects as long as they stay at the issuer."""
        return self._request("GET", url, b"", {}, follow)

    def submit(self, form_id: str, *, follow: bool = True, **fields: str) -> Answer:
        """Send the form of the present page with its hidden fields and ``fields``, as a browser does."""
        assert self.page is not None
        forms = [(dict(_ATTRIBUTE.findall(named)), inner) for named, inner in _FORM.findall(self.page.body.decode())]
        found = [form for form in forms if form[0].get("id") == form_id]
        assert len(found) == 1, f"forms {form_id} on {self.url}: {self.page.body.decode()[:2000]}"
        named, inner = found[0]
        sent = {}
        for tag in _INPUT.findall(inner):
            has = {name: unescape(value) for name, value in _ATTRIBUTE.findall(tag)}
            if has.get("type") == "hidden":
                sent[has["name"]] = has["value"]
        action = unescape(named.get("action") or self.url)
        return self.post(action, sent | fields, follow=follow)

    def post(self, url: str, fields: dict[str, str], *, follow: bool = True, **headers: str) -> Answer:
        """Send a form to ``url`` from the issuer's own origin, unless ``headers`` say otherwise."""
        parts = urlsplit(self.world.settings.issuer)
        own = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": f"{parts.scheme}://{parts.netloc}",
            "sec-fetch-site": "same-origin",
        }
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._request("POST", url, urlencode(fields).encode(), own | given, follow)

    def _request(self, method: str, url: str, body: bytes, headers: dict[str, str], follow: bool) -> Answer:
        issuer = self.world.settings.issuer
        for _ in range(10):
            self.url = url if "://" in url else issuer + url
            sent = dict(headers)
            if self.cookies:
                sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            self.page = self.world.run(self.world.call(method, self.url.removeprefix(issuer), body, sent))
            self._keep(self.page)
            location = self.page.headers.get("location")
            if location is None or not follow or not location.startswith(issuer):
                return self.page
            method, url, body, headers = "GET", location, b"", {}
        raise AssertionError(f"too many redirects, the last to {url}")

    def _keep(self, answer: Answer) -> None:
        for value in answer.all_headers("set-cookie"):
            match = _SET_COOKIE.fullmatch(value)
            assert match is not None
            if "Max-Age=0" in match[3]:
                self.cookies.pop(match[1], None)
            else:
                self.cookies[match[1]] = match[2]


def query_of(answer: Answer) -> dict[str, str]:
    """The parameters of the URL that an answer redirects to, each once."""
    found = parse_qs(urlsplit(answer.headers["location"]).query, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values()), found
    return {name: values[0] for name, values in found.items()}


def location(answer: Answer) -> str:
    """Where an answer redirects to, without its query."""
    return answer.headers["location"].split("?")[0]


def any_of(**given: Any) -> dict[str, str]:
    """Parameters without those that are None."""
    return {name: str(value) for name, value in given.items() if value is not None}
