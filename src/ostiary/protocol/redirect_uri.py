"""Whether a redirect URI is one that was registered: RFC 9700 sections 2.1 and 4.1.3, RFC 8252 section 7.3."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_LENGTH = 2048
# Of a loopback address the port alone may differ; a name such as localhost may be somebody else's, so it may not.
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?((?:[/?][!-~]*)?)")


def is_registered(presented: str, registered: Iterable[str], *, native: bool) -> bool:
    """Whether ``presented`` is one of ``registered``.

    "Authorization servers MUST utilize exact string matching as defined in Section 6.2.1 of [RFC3986] except for port
    numbers in localhost redirection URIs of native apps" (RFC 9700 4.1.3). native: whether the client is such an app.
    """
    if len(presented) > MAX_LENGTH:
        return False
    known = list(registered)
    if presented in known:
        return True
    wanted = _without_port(presented) if native else None
    return wanted is not None and wanted in map(_without_port, known)


def _without_port(uri: str) -> tuple[str, str] | None:
    match = _LOOPBACK.fullmatch(uri)
    return (match[1], match[2]) if match else None
