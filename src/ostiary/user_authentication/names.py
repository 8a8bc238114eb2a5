"""The names by which a person signs in, their form and how they are compared; and what they call their factors."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from ostiary.model.names import one_line

MAX_USERNAME_LENGTH: Final = 128
MAX_EMAIL_LENGTH: Final = 254
"""Octets, RFC 5321 section 4.5.3.1.3 without the brackets."""

MAX_SHOWN: Final = 60
"""Characters of what a user calls a factor of theirs."""

# Characters that nobody sees or that turn the text around: two names must not look the same and differ.
_INVISIBLE = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))
# An addr-spec without quoting, comments and address literals, RFC 5322 3.4.1; international ones too, RFC 6531.
_EMAIL = re.compile(r"[^\s@<>()\[\]\\,;:\"]+@[^\s@<>()\[\]\\,;:\"]+")


def username_key(username: str) -> str:
    """The form in which user names are compared: compatibility forms, letter case and outer spaces do not count.

    NFKC before the case folding and after it, so that folding twice changes nothing.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold()).strip()


def username(text: str) -> str:
    """A user name without outer spaces. Raises ValueError with a sentence that goes on from "the user name"."""
    text = text.strip()
    if not username_key(text) or len(text) > MAX_USERNAME_LENGTH:
        raise ValueError(f"must have 1 to {MAX_USERNAME_LENGTH} characters")
    if any(unicodedata.category(character) in _INVISIBLE for character in text):
        raise ValueError("must be one line of visible characters")
    return text


def email(text: str) -> str:
    """An e-mail address, or "" for none. Raises ValueError with a sentence that goes on from "the e-mail address"."""
    text = text.strip()
    if text and (len(text.encode()) > MAX_EMAIL_LENGTH or not _EMAIL.fullmatch(one_line(text))):
        raise ValueError("must be of the form name@host")
    return text


def shown(typed: str) -> str:
    """What the user calls a factor: one line, without what cannot be seen."""
    return "".join(character for character in typed if character.isprintable()).strip()[:MAX_SHOWN]
