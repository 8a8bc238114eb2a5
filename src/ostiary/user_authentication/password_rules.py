"""Which new passwords are taken (ASVS 6.2; NIST SP 800-63B 3.1.1.2): long enough, and not one that is tried first.

There are no rules of composition. A password is read as a row of parts - a common password or word (also with digits
for letters), a name of its user or of this installation, a run such as ``aaaa``, ``4567`` or ``qwert``, a year, or else
a single character - and whatever needs fewer than five parts is too easy to guess, however long it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

from ostiary.errors import ConfigurationError
from ostiary.model.user import User
from ostiary.settings.sections import SignInSettings

MAX_OCTETS: Final = 512
"""Far above the 64 characters that must be allowed (ASVS 6.2.9)."""

MIN_PARTS: Final = 5
_MIN_NAME: Final = 3
_MIN_RUN: Final = 3
_YEAR = re.compile(r"(?:1[89]|20)[0-9]{2}")
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")
_STEPS = frozenset(pair for row in _ROWS for text in (row, row[::-1]) for pair in pairwise(text))
# Letters that are written as digits and signs; 1 and ! stand for i as well as for l.
_LEET = str.maketrans("0134578@$!|+", "oleastbasili")
_LEET_I = str.maketrans("0134578@$!|+", "oieastbasiit")


class UnfitPassword(ConfigurationError):
    """The password must not be chosen; the message is for its user."""


def check_new_password(settings: SignInSettings, password: str, user: User) -> None:
    """Raises UnfitPassword with a sentence that says why and what to do."""
    if len(password) < settings.password_min_length:
        raise UnfitPassword(f"the password is too short: choose at least {settings.password_min_length} characters")
    if len(password.encode("utf-8", "surrogatepass")) > MAX_OCTETS:
        raise UnfitPassword(f"the password is too long: choose at most {MAX_OCTETS} octets")
    names = frozenset(_names(settings, user))
    # ASVS 6.2.4: "checked against an available set of, at least, the top 3000 passwords"; 6.2.11: "against the
    # documented list of context specific words".
    if parts(password, names) < MIN_PARTS:
        raise UnfitPassword(
            "the password is easy to guess: it is made of common words, names, years or runs such as 1234; "
            "choose one that nobody would try, such as several words that do not belong together"
        )


def parts(password: str, names: Collection[str] = ()) -> int:
    """How few parts ``password`` can be read as; names: folded texts that each count as one part."""
    text = _folded(password)
    spelled = (text, text.translate(_LEET), text.translate(_LEET_I))
    words = _common() | frozenset(names)
    longest = max(map(len, words))
    best = [0] * (len(text) + 1)
    for start in reversed(range(len(text))):
        ends = [start + 1, *_runs(text, start)]
        ends += [
            end
            for end in range(start + _MIN_NAME, min(len(text), start + longest) + 1)
            if any(one[start:end] in words for one in spelled)
        ]
        best[start] = 1 + min(best[end] for end in ends)
    return best[0]


def _runs(text: str, start: int) -> Iterator[int]:
    """Where a run or a year that begins at ``start`` ends."""
    for same in (True, False):
        end = start + 1
        while end < len(text) and ((text[end - 1] == text[end]) if same else ((text[end - 1], text[end]) in _STEPS)):
            end += 1
        if end - start >= _MIN_RUN:
            yield end
    if _YEAR.match(text, start):
        yield start + 4


def _names(settings: SignInSettings, user: User) -> Iterator[str]:
    """What somebody who knows the user and the place would try first."""
    mailbox, _, host = user.email.partition("@")
    said = [value for value in user.claims.values() if isinstance(value, str)]
    for text in (user.username, mailbox, host, settings.application_name, "ostiary", *said):
        folded = _folded(text)
        for name in {folded, *re.split(r"[\W_]+", folded)}:
            if len(name) >= _MIN_NAME:
                yield name


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@cache
def _common() -> frozenset[str]:
    text = files("ostiary.user_authentication").joinpath("common_passwords.txt").read_text("ascii")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
