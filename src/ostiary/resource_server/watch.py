"""How an API learns that a self-contained token was revoked, for each issuer that it trusts; and who must be asked."""

from __future__ import annotations

from typing import Final, Literal

from ostiary.errors import ConfigurationError
from ostiary.resource_server.needs import RevocationHook

FEED: Final = "feed"
INTROSPECT: Final = "introspect"
STATUS_LIST: Final = "status_list"
UNTIL_EXPIRY: Final = "until_expiry"
REFUSE: Final = "refuse"

Named = Literal["feed", "introspect", "status_list", "until_expiry"]
RevocationChoice = Named | RevocationHook
WhenStale = Literal["refuse", "introspect"]

NEEDS_CREDENTIAL: Final = frozenset((FEED, INTROSPECT))
_NAMES: Final[tuple[Named, ...]] = (FEED, INTROSPECT, STATUS_LIST, UNTIL_EXPIRY)

DEFAULT_MAX_STALENESS: Final = 30.0
LEAST_MAX_STALENESS: Final = 10.0
"""Seconds. The issuer speaks every five, so an API that allowed less would refuse for one message that was late."""


class Watch:
    """What the verifier asks of one issuer's tokens, at each request.

    check: raises if a token has ended, as far as is known here; None: nothing is known here. good_until: seconds of
    ``elapsed``, from which on somebody must be asked about a self-contained token first (``NeedRevocations``).
    in_lists: whether that is the status list which the token names (``NeedStatusList``).
    """

    __slots__ = ("check", "good_until", "in_lists")

    def __init__(self, check: RevocationHook | None, good_until: float, *, in_lists: bool = False) -> None:
        self.check = check
        self.good_until = good_until
        self.in_lists = in_lists


def without_feed(choice: RevocationChoice) -> Watch:
    """The watch of every choice but ``"feed"``."""
    if choice in (INTROSPECT, STATUS_LIST):
        return Watch(None, float("-inf"), in_lists=choice == STATUS_LIST)
    return Watch(choice if callable(choice) else None, float("inf"))


def checked_choice(choice: object) -> RevocationChoice:
    """``choice`` if it is one. Raises ConfigurationError that names them."""
    if callable(choice):
        return choice
    for name in _NAMES:
        if choice == name:
            return name
    raise ConfigurationError(f"revocation={str(choice)[:64]!r} is no choice; it is one of {', '.join(_NAMES)}.")


def checked_when_stale(choice: WhenStale) -> WhenStale:
    """``choice`` if it is one. Raises ConfigurationError."""
    if choice not in (REFUSE, INTROSPECT):
        raise ConfigurationError(f'when_stale={str(choice)[:64]!r} is no choice; it is "refuse" or "introspect".')
    return choice


def checked_max_staleness(seconds: float) -> float:
    """``seconds`` if they can be kept. Raises ConfigurationError."""
    if not LEAST_MAX_STALENESS <= seconds <= 86_400:
        raise ConfigurationError(
            f"max_staleness={seconds} cannot be kept; say how many seconds from {LEAST_MAX_STALENESS:.0f} to 86400."
        )
    return seconds
