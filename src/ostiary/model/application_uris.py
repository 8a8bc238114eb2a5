"""The addresses that an application registers, strictly: RFC 6749 section 3.1.2, RFC 8252 section 7, RFC 9700 2.1, 2.6.

A redirect URI receives codes. So it is refused here if two parsers could read it differently, though it is compared
character by character later. Each function returns its argument or raises ValueError with a sentence that names the
mend and goes on from the name of the member.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from ostiary.fetching.refusal import FetchRefused
from ostiary.fetching.target import parse_target
from ostiary.model.client_login import ApplicationType

MAX_LENGTH: Final = 2048
LOOPBACK_ADDRESSES: Final = frozenset({"127.0.0.1", "::1"})

# RFC 3986 appendix A: the characters of a URI, without "#", and percent signs with their digits alone.
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:/{1,2}(?:[^/].*)?")
# Escapes that some parser or proxy resolves before it looks at the path.
_TREACHEROUS = re.compile(r"%(?:2[5eEfF]|5[cC])")
_CONTROL = re.compile(r"%(?:[01][0-9A-Fa-f]|7[fF])")
_OURS = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state"}
    | {"id_token", "access_token", "token_type", "expires_in", "scope"}
)


def redirect_uri(text: str, application_type: ApplicationType, *, dev: bool) -> str:
    """An address to which users are sent back, with a code or after signing out.

    dev: under ``ostiary dev``, where http on loopback, ``localhost`` too, is for every application.
    """
    _check_text(text)
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise ValueError(f"{text!r} is no absolute URI: begin it with https:// in lower case")
    match scheme[1]:
        case "https" | "http":
            return _web_address(text, application_type, dev=dev)
        case _:
            return _private_use(text, application_type)


def public_address(text: str, *, dev: bool) -> str:
    """An https address that browsers open or this server calls, such as a home page, a logo, a logout endpoint."""
    _check_text(text)
    if not text.startswith(("https://", "http://")):
        raise ValueError(f"{text!r} is no https address")
    return _web_address(text, "web", dev=dev)


def host_of(uri: str) -> str:
    """The host of a web address, ``""`` for anything else and for the loopback, which belongs to nobody."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    return host if parts.scheme == "https" and not is_loopback_host(host) else ""


def is_loopback_host(host: str) -> bool:
    """Whether it is this machine itself."""
    return host in LOOPBACK_ADDRESSES or host == "localhost"


def sector_name(text: str) -> str:
    """The host that applications with the same pairwise subjects share, OpenID Connect Core 8.1."""
    try:
        parse_target(f"https://{text}/", allow_http=False)
    except FetchRefused:
        raise ValueError(f"{text!r} is no host name, such as example.com") from None
    if text != text.lower() or ":" in text:
        raise ValueError(f"{text!r} must be a host name in lower case without a port")
    return text


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"must have at most {MAX_LENGTH} characters")
    if "#" in text:
        # "The endpoint URI MUST NOT include a fragment component." RFC 6749 3.1.2
        raise ValueError(f"{text!r} has a fragment: cut off the # and what follows")
    if "*" in text:
        # RFC 9700 4.1: patterns were the cause of most attacks on redirect URIs; addresses are compared as a whole.
        raise ValueError(f"{text!r} has a *: there are no wildcards, register each address")
    if not _CHARACTERS.fullmatch(text):
        raise ValueError(
            f"{text!r} has characters that are none of a URI (blank, control, backslash, quote, not ASCII): "
            "percent-encode them, and write an international name in its xn-- form"
        )
    if _TREACHEROUS.search(text.partition("?")[0]) or _CONTROL.search(text):
        raise ValueError(f"{text!r} hides a dot, slash, backslash, percent sign or control: write it plainly")


def _web_address(text: str, application_type: ApplicationType, *, dev: bool) -> str:
    authority = text.partition("://")[2].partition("/")[0].partition("?")[0]
    if "@" in authority:
        raise ValueError(f"{text!r} has a user name before the host: take it out")
    if authority != authority.lower():
        raise ValueError(f"{text!r} has capital letters in its host: write it in lower case, as browsers do")
    try:
        target = parse_target(text, allow_http=True)
    except FetchRefused as error:
        raise ValueError(f"{text!r}: {error}") from None
    if target.scheme == "http":
        _check_plain(text, target.host, application_type, dev=dev)
    _check_path(text, urlsplit(text).path)
    _check_query(text)
    return text


def _check_plain(text: str, host: str, application_type: ApplicationType, *, dev: bool) -> None:
    if dev and is_loopback_host(host):
        return
    # "Authorization servers MUST NOT allow redirection URIs that use the 'http' scheme except for native clients that
    # use loopback interface redirection" RFC 9700 2.6
    if host == "localhost":
        # "the use of localhost is NOT RECOMMENDED": it may lead elsewhere, RFC 8252 8.3.
        raise ValueError(f"{text!r}: write http://127.0.0.1 or http://[::1] instead of localhost")
    if host not in LOOPBACK_ADDRESSES:
        raise ValueError(f"{text!r} is plain http, so anybody on the way reads the code: use https")
    if application_type != "native":
        raise ValueError(f"{text!r}: http on loopback is for native applications: use https, or register it as native")


def _private_use(text: str, application_type: ApplicationType) -> str:
    scheme = text.partition(":")[0]
    # "apps MUST use a URI scheme based on a domain name under their control, expressed in reverse order" RFC 8252 7.1;
    # "requiring that these contain at least one period character" 8.4. It keeps out javascript: and data:, too.
    if "." not in scheme:
        raise ValueError(
            f"{text!r}: {scheme}: may be any application's; use https, or for a native application a scheme of your "
            "own domain in reverse, such as com.example.app:/callback"
        )
    if not _PRIVATE_USE.fullmatch(text) or "@" in text:
        raise ValueError(f"{text!r}: write it like com.example.app:/callback")
    _check_path(text, "/" + text.partition(":")[2].lstrip("/").partition("?")[0])
    _check_query(text)
    if application_type != "native":
        raise ValueError(f"{text!r}: a scheme of its own is for native applications: use https")
    return text


def _check_path(text: str, path: str) -> None:
    segments = [segment.partition(";")[0] for segment in path.split("/")]
    if "." in segments or ".." in segments:
        raise ValueError(f"{text!r} has dot segments: write the path as it is without them")
    if "//" in path:
        raise ValueError(f"{text!r} has a double slash in its path: write one")


def _check_query(text: str) -> None:
    names = {name for name, _ in parse_qsl(urlsplit(text).query, keep_blank_values=True)}
    if clash := sorted(names & _OURS):
        raise ValueError(f"{text!r} has the parameter {clash[0]}, which the answer of this server has: rename it")


def is_web_address(uri: str) -> bool:
    """Whether it is an https address, or http on ``localhost``, which only a web page under development has."""
    return uri.startswith(("https://", "http://localhost:", "http://localhost/"))
