"""What an application is told of a user: OpenID Connect Core 1.0 sections 5.1, 5.4 and 5.5."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

from ostiary.model.user import User

Place = Literal["userinfo", "id_token"]

BY_SCOPE: Final[dict[str, tuple[str, ...]]] = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
STANDARD: Final = frozenset(name for names in BY_SCOPE.values() for name in names)


def told(
    user: User, scopes: Collection[str], asked: Mapping[str, Mapping[str, object]], place: Place
) -> dict[str, object]:
    """The claims of ``user`` that belong there, ``sub`` left aside.

    By scope they stand in userinfo alone, because an access token is always issued with the ID token (5.4); those asked
    for one by one stand where they were asked for (5.5). A claim that is not known is left out, never null (5.3.2).
    A claim asked for one by one was shown to the user by the scope that covers it, so it needs that scope.
    """
    names = [name for name in asked.get(place, {}) if name in STANDARD and _covered(name, scopes)]
    if place == "userinfo":
        names += [name for scope in scopes for name in BY_SCOPE.get(scope, ())]
    known = _known(user)
    return {name: known[name] for name in names if name in known}


def _covered(name: str, scopes: Collection[str]) -> bool:
    return any(name in BY_SCOPE.get(scope, ()) for scope in scopes)


def _known(user: User) -> dict[str, object]:
    known = {name: value for name, value in user.claims.items() if name in STANDARD and value is not None}
    known["preferred_username"] = user.username
    known["updated_at"] = user.updated_at
    if user.email:
        known |= {"email": user.email, "email_verified": user.email_verified}
    return known
