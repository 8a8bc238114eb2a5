"""The files that the pages need besides themselves: ours, from the package, and the operator's logo and style."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from ostiary.errors import ConfigurationError
from ostiary.settings.sections import PagesSettings

LOGO: Final = "logo"
THEME: Final = "theme.css"
_FOLDER = Path(__file__).parent / "assets"
_OUR_LOGO = "mark.svg"
_TYPES: Final[dict[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served. version: of its content, 16 hexadecimal digits; it stands in its URL and is its ETag."""

    content_type: str
    content: bytes
    version: str


@cache
def names() -> tuple[str, ...]:
    """Every name below ``/assets/``, whatever the settings; the operator's are not always there."""
    return (*sorted(file.name for file in _FOLDER.iterdir() if file.suffix in _TYPES), LOGO, THEME)


def of(settings: PagesSettings) -> Mapping[str, Asset]:
    """Name to asset under these settings, each file read once a process.

    Raises ConfigurationError: a file of the operator's cannot be read.
    """
    return _all(settings.logo_file, settings.css_file)


@cache
def _all(logo: Path | None, theme: Path | None) -> Mapping[str, Asset]:
    found = {file.name: _read(file) for file in sorted(_FOLDER.iterdir()) if file.suffix in _TYPES}
    found[LOGO] = _read(logo) if logo is not None else found[_OUR_LOGO]
    if theme is not None:
        found[THEME] = _read(theme)
    return found


def _read(file: Path) -> Asset:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} of the pages cannot be read: {error.strerror}.") from None
    return Asset(_TYPES[file.suffix], content, hashlib.sha256(content).hexdigest()[:16])
