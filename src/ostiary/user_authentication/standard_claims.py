"""The standard claims of a user that an operator may give: names and types of OpenID Connect Core 1.0 section 5.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STANDARD_CLAIMS: Final[dict[str, type]] = {
    "name": str,
    "given_name": str,
    "family_name": str,
    "middle_name": str,
    "nickname": str,
    "preferred_username": str,
    "profile": str,
    "picture": str,
    "website": str,
    "gender": str,
    "birthdate": str,
    "zoneinfo": str,
    "locale": str,
    "phone_number": str,
    "phone_number_verified": bool,
    "address": dict,
}
"""What the table of section 5.1 names, without ``sub``, the e-mail address and ``updated_at``, which are members of
their own."""

ADDRESS_MEMBERS: Final = ("formatted", "street_address", "locality", "region", "postal_code", "country")
"""Section 5.1.1."""

MAX_TEXT: Final = 1000
"""Characters of one value: enough for a name or an address, too few to fill an ID token."""


def checked(claims: Mapping[str, object]) -> dict[str, object]:
    """A copy of ``claims``. Raises ValueError with a sentence about the first that is no standard claim of its type."""
    for name, value in claims.items():
        wanted = STANDARD_CLAIMS.get(name)
        if wanted is None:
            raise ValueError(f"the claim {name!r} is not a standard one: choose from {', '.join(STANDARD_CLAIMS)}")
        if type(value) is not wanted:
            raise ValueError(f"the claim {name!r} must be {_WORDS[wanted]}")
        if isinstance(value, str):
            _check_text(name, value)
        if isinstance(value, dict):
            _check_address(value)
    return dict(claims)


_WORDS: Final[dict[type, str]] = {str: "text", bool: "true or false", dict: "an object"}


def _check_text(name: str, value: str) -> None:
    if not value or len(value) > MAX_TEXT:
        raise ValueError(f"the claim {name!r} must have 1 to {MAX_TEXT} characters: leave it out if there is none")


def _check_address(address: Mapping[object, object]) -> None:
    for member, value in address.items():
        if member not in ADDRESS_MEMBERS or not isinstance(value, str):
            raise ValueError(f"the claim 'address' holds texts named {', '.join(ADDRESS_MEMBERS)}")
        _check_text(f"address.{member}", value)
