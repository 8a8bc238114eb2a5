"""Where a token may travel: web origins (RFC 6454 section 4), over TLS or on loopback only (RFC 6750 section 5.3)."""

from __future__ import annotations

from urllib.parse import urlsplit

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import uri

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def origin_of(url: str) -> str:
    """Scheme, host and port of ``url`` in one spelling, such as ``https://orders.example.com``.

    Raises ConfigurationError for anything but an absolute http or https URL without userinfo.
    """
    try:
        parts = urlsplit(uri.normalize(url))
    except VerificationError as error:
        raise ConfigurationError(f"{error.seen} is not an absolute http or https URL without userinfo.") from None
    return f"{parts.scheme}://{parts.netloc}"


def is_safe(url: str) -> bool:
    """Whether a secret may be sent to ``url``: https, or http that does not leave this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def require_safe(url: str, what: str) -> str:
    """``url``, if a secret may be sent there; else VerificationError("transport").

    "Clients MUST always use TLS (https) or equivalent transport security when making requests with bearer tokens"
    (RFC 6750 section 5.3); the token endpoint likewise (RFC 6749 section 3.2).
    """
    if not is_safe(url):
        raise VerificationError(
            "transport",
            f"{what} is not reached over TLS",
            seen=url.split("?", 1)[0],
            expected="https, or http on loopback",
            mend="publish it under https",
        )
    return url
