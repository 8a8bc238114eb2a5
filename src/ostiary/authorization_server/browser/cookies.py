"""The two cookies of a browser: who it is (long-lived), and who is signed in there (RFC 6265; ASVS 3.3).

Over https they are ``__Host-``, Secure, HttpOnly and SameSite=Lax. Over http, which is for ``ostiary dev`` alone, they
bear neither prefix nor Secure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ostiary.authorization_server.http import Request
from ostiary.errors import Unavailable, VerificationError
from ostiary.protocol import token_format

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

Header = tuple[bytes, bytes]
BROWSER_LIFE = 365 * 86_400
_NAMES = {token_format.BROWSER: "ostiary-browser", token_format.SESSION: "ostiary-session"}
_MAX_HEADER = 16_384


@dataclass(frozen=True, slots=True)
class BrowserSecrets:
    """What a browser brought, "" where it brought nothing of ours; digests are what is stored and compared."""

    browser: str = field(default="", repr=False)
    session: str = field(default="", repr=False)

    @property
    def browser_digest(self) -> bytes:
        """SHA-256 of the browser's secret; of "" for a browser that has none yet, which nothing stored has."""
        return token_format.digest(self.browser)

    @property
    def session_digest(self) -> bytes:
        """SHA-256 of the session secret."""
        return token_format.digest(self.session)


def read(server: AuthorizationServer, request: Request) -> BrowserSecrets:
    """The secrets in the Cookie header of ``request``; what is not of our form, or stands twice, counts as absent."""
    found: dict[str, list[str]] = {}
    header = request.headers.get(b"cookie", b"")
    if len(header) <= _MAX_HEADER:
        for part in header.decode("latin-1").split(";"):
            name, _, value = part.strip().partition("=")
            found.setdefault(name, []).append(value)
    return BrowserSecrets(
        _secret(found.get(_name(server, token_format.BROWSER), []), token_format.BROWSER),
        _secret(found.get(_name(server, token_format.SESSION), []), token_format.SESSION),
    )


async def known(server: AuthorizationServer, request: Request) -> tuple[BrowserSecrets, tuple[Header, ...]]:
    """What ``read`` finds, made ``lasting``."""
    return await lasting(server, read(server, request))


async def lasting(server: AuthorizationServer, secrets: BrowserSecrets) -> tuple[BrowserSecrets, tuple[Header, ...]]:
    """The same, with a new secret for a browser that has none, and the headers that its answer must set."""
    if secrets.browser:
        return secrets, ()
    made = await new_secret(server, token_format.BROWSER)
    return BrowserSecrets(made, secrets.session), (set_browser(server, made),)


async def new_secret(server: AuthorizationServer, kind: str) -> str:
    """A new secret for a cookie: ``token_format.BROWSER`` or ``token_format.SESSION``."""
    return token_format.generate(kind, await server.registry.installation())


def set_browser(server: AuthorizationServer, secret: str) -> Header:
    """The Set-Cookie header by which the browser is known again for a year."""
    return _set(server, token_format.BROWSER, secret, f"; Max-Age={BROWSER_LIFE}")


def set_session(server: AuthorizationServer, secret: str) -> Header:
    """The Set-Cookie header of the session; the browser drops it when it closes, the server ends it by itself."""
    return _set(server, token_format.SESSION, secret, "")


def drop_session(server: AuthorizationServer) -> Header:
    """The Set-Cookie header after which the browser has no session."""
    return _set(server, token_format.SESSION, "", "; Max-Age=0")


def _set(server: AuthorizationServer, kind: str, secret: str, life: str) -> Header:
    secure = "; Secure" if _is_secure(server) else ""
    value = f"{_name(server, kind)}={secret}; Path=/; HttpOnly; SameSite=Lax{secure}{life}"
    return b"set-cookie", value.encode("ascii")


def _name(server: AuthorizationServer, kind: str) -> str:
    return ("__Host-" if _is_secure(server) else "") + _NAMES[kind]


def _is_secure(server: AuthorizationServer) -> bool:
    if server.issuer.startswith("https:"):
        return True
    if not server.settings.dev:
        raise Unavailable("cookies", "the issuer is http, and sessions over http are for `ostiary dev` alone")
    return False


def _secret(values: list[str], kind: str) -> str:
    if len(values) != 1:
        return ""
    try:
        return values[0] if token_format.parse(values[0]).kind == kind else ""
    except VerificationError:
        return ""
