"""Normalization of http URIs for comparison: RFC 3986 sections 6.2.2 (syntax) and 6.2.3 (scheme)."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from ostiary.errors import VerificationError
from ostiary.protocol.checks import URL, shown

MAX_LENGTH = 8192
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# RFC 3986 appendix A, narrowed to http(s) with a host, without userinfo; query and fragment are cut off.
_URI = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)"
    r"(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)*)"
    r"(?:\?[!-~]*)?(?:#[!-~]*)?",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normalize(uri: str) -> str:
    """``uri`` without query and fragment, in the one form in which equal http URIs are equal texts.

    Raises VerificationError("url") for anything but an absolute http or https URI with a host and no userinfo.
    """
    match = _URI.fullmatch(uri) if len(uri) <= MAX_LENGTH else None
    if match is None:
        raise _unusable(uri)
    scheme = match["scheme"].lower()
    port = (match["port"] or "").lstrip("0")
    if port and (port == _DEFAULT_PORTS[scheme] or int(port) > 65535):
        port = _default_or_refuse(port, uri)
    path = _without_dot_segments(_ESCAPE.sub(_normal_escape, match["path"]))
    return f"{scheme}://{_host(match['host'], uri)}{':' + port if port else ''}{path or '/'}"


def _host(host: str, uri: str) -> str:
    if not host.startswith("["):
        return _ESCAPE.sub(_normal_escape, host).lower()
    try:
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    except AddressValueError:
        raise _unusable(uri) from None


def _default_or_refuse(port: str, uri: str) -> str:
    if int(port) > 65535:
        raise _unusable(uri)
    return ""


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _without_dot_segments(path: str) -> str:
    # RFC 3986 5.2.4, for a path that is empty or begins with a slash.
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


def _unusable(uri: str) -> VerificationError:
    return VerificationError(
        URL, "unusable URL", seen=shown(uri.split("?", 1)[0]), expected="an absolute http or https URL without userinfo"
    )
