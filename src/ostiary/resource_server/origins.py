"""Origins of URLs (RFC 6454 section 4), as far as an API follows addresses that stand in its tokens."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from ostiary.errors import ConfigurationError

_ORIGIN: Final = re.compile(r"https://[a-z0-9.-]+(:[0-9]+)?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?")
_VISIBLE: Final = re.compile(r"[!-~]+")


def origin_of(url: str) -> str:
    """Scheme and authority of ``url``, as it writes them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def checked_origin(origin: str) -> str:
    """``origin`` if it is one, such as ``https://lists.example``. Raises ConfigurationError."""
    if _ORIGIN.fullmatch(origin) is None:
        raise ConfigurationError(
            f"status_list_origins has {origin[:200]!r}: write https:// and the host in lower case, without a slash at "
            "the end; http is for loopback only."
        )
    return origin


def stands_at(url: str, origins: tuple[str, ...]) -> bool:
    """Whether ``url`` is an address at one of ``origins``.

    Compared as text up to the slash that ends the authority, so that no userinfo and no longer host name fits.
    """
    return url.startswith(tuple(origin + "/" for origin in origins)) and _VISIBLE.fullmatch(url) is not None
