"""Browsers before the clock starts: who is to sign in stands before the form, who has signed in holds the cookies."""

from __future__ import annotations

import socket
from urllib.parse import urlencode, urljoin

from bench.following import cookies_of, get, location, post, sent_cookies
from bench.people import PASSWORD, REDIRECT_URI, REQUEST, USERS
from demo.browser import read_forms

SIGN_IN_FORM = "sign-in-form"


def authorize_url(path: str) -> str:
    """The authorization request of the application, to the endpoint at ``path``."""
    return f"{path}?{urlencode(REQUEST)}"


def sign_in_requests(port: int, path: str, count: int) -> list[str]:
    """``count`` browsers, each a new one, that are about to send the form with a user's name and password."""
    return [sign_in_request(port, path, USERS[number % len(USERS)]) for number in range(count)]


def sign_in_request(port: int, path: str, user: str) -> str:
    """The request that sends the sign-in form of an authorization request in a new browser."""
    typed = {"username": user, "password": PASSWORD}
    head, _ = ask(port, get(authorize_url(path), port, {}))
    cookies, url = cookies_of(head, {}), location(head)
    if "/interaction/" in url:  # the peer, which needs no hidden fields
        return post(url, port, cookies, urlencode(typed)).decode("latin-1")
    head, body = ask(port, get(url, port, cookies))
    form = read_forms(body.decode())[SIGN_IN_FORM]
    cookies = cookies_of(head, cookies)
    return post(urljoin(url, form.action), port, cookies, urlencode(form.fields | typed)).decode("latin-1")


def signed_in(port: int, path: str, user: str) -> dict[str, str]:
    """The cookies of a browser in which ``user`` has signed in. Raises RuntimeError: it did not come so far."""
    request = sign_in_request(port, path, user).encode("latin-1")
    cookies = sent_cookies(request)
    for _ in range(10):
        head, body = ask(port, request)
        cookies, url = cookies_of(head, cookies), location(head)
        if url.startswith(REDIRECT_URI):
            return cookies
        if not url:
            raise RuntimeError(f"the sign-in ended at {head.decode()[:300]}\n{body.decode()[:1000]}")
        request = get(url, port, cookies)
    raise RuntimeError("too many redirects after the sign-in")


def ask(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer to one request."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += _some(connection)
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        while len(body) < length:
            body += _some(connection)
        return head, body


def _some(connection: socket.socket) -> bytes:
    received = connection.recv(65_536)
    if not received:
        raise RuntimeError("the server closed the connection")
    return received
