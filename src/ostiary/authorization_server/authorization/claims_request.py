"""The parameter ``claims``: OpenID Connect Core 1.0 section 5.5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from ostiary.errors import OAuthError, VerificationError
from ostiary.protocol import strict_json
from ostiary.protocol.checks import shown

PLACES = ("userinfo", "id_token")


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """places: for ``userinfo`` and ``id_token`` the names asked for, each with what is said of it.

    subject: the ``sub`` that is demanded, None if none is. acr_values: the levels that are asked for as a claim;
    acr_essential: whether one of them must be reached (5.5.1.1).
    """

    places: dict[str, dict[str, object]]
    subject: str | None
    acr_values: tuple[str, ...]
    acr_essential: bool


def parse(text: str) -> ClaimsRequest:
    """The request in ``text``. Raises OAuthError("invalid_request")."""
    try:
        members = strict_json.decode_object(text.encode("utf-8"))
    except VerificationError:
        _refuse("no JSON object")
    places: dict[str, dict[str, object]] = {}
    for place in PLACES:
        wanted = members.get(place)
        if wanted is None:
            continue
        if not isinstance(wanted, dict) or not all(
            value is None or isinstance(value, dict) for value in wanted.values()
        ):
            _refuse(f"{place} is no object of claims")
        places[place] = wanted
    id_token = places.get("id_token", {})
    subject = _subject(id_token.get("sub"), places.get("userinfo", {}).get("sub"))
    acr = id_token.get("acr")
    acr = acr if isinstance(acr, dict) else {}
    return ClaimsRequest(places, subject, _values(acr), acr.get("essential") is True)


def _subject(*wanted: object) -> str | None:
    named = [one["value"] for one in wanted if isinstance(one, dict) and "value" in one]
    if any(not isinstance(value, str) for value in named) or len(set(map(str, named))) > 1:
        _refuse("sub is no single text")
    return str(named[0]) if named else None


def _values(wanted: dict[str, object]) -> tuple[str, ...]:
    values = wanted.get("values", [wanted["value"]] if "value" in wanted else [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        _refuse("acr values are no texts")
    return tuple(map(str, values))


def _refuse(seen: str) -> NoReturn:
    raise OAuthError("invalid_request", "claims is malformed", check="claims", seen=shown(seen), expected="Core 5.5")
