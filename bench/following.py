"""What a browser does with a redirect: it keeps the cookies and asks for the next page."""

from __future__ import annotations

from urllib.parse import urlsplit


def location(head: bytes) -> str:
    """Where the answer with this head redirects to, "" for nowhere."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"location":
            return value.strip().decode("latin-1")
    return ""


def cookies_of(head: bytes, known: dict[str, str]) -> dict[str, str]:
    """The cookies after an answer with this head; paths are not looked at, one server is all there is."""
    kept = dict(known)
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"set-cookie":
            cookie, _, content = value.strip().partition(b";")[0].decode("latin-1").partition("=")
            kept[cookie] = content
    return {cookie: content for cookie, content in kept.items() if content}


def get(url: str, port: int, cookies: dict[str, str], *, authorization: str = "") -> bytes:
    """The request for the page at ``url``, whatever origin that names, to the server at ``port``."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = f"GET {target} HTTP/1.1\r\nhost: localhost:{port}\r\naccept: */*\r\n"
    head += f"authorization: {authorization}\r\n" if authorization else ""
    return (head + _cookie_line(cookies) + "\r\n").encode("latin-1")


def post(url: str, port: int, cookies: dict[str, str], form: str) -> bytes:
    """The request that sends an encoded form."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = f"POST {target} HTTP/1.1\r\nhost: localhost:{port}\r\naccept: application/json, text/html\r\n"
    head += f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(form)}\r\n"
    return (head + _cookie_line(cookies) + "\r\n" + form).encode("latin-1")


def follow(request: bytes, head: bytes, port: int) -> bytes:
    """The request that follows ``request``, which was answered by a redirect with this head."""
    return get(location(head), port, cookies_of(head, sent_cookies(request)))


def sent_cookies(request: bytes) -> dict[str, str]:
    """The cookies that ``request`` carries."""
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"cookie":
            return dict(part.partition("=")[::2] for part in value.decode("latin-1").strip().split("; "))
    return {}


def _cookie_line(cookies: dict[str, str]) -> str:
    return f"cookie: {'; '.join(f'{name}={value}' for name, value in cookies.items())}\r\n" if cookies else ""
