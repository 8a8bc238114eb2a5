"""From what stands in the arguments to checked commands: scopes, moments, and pydantic's complaints as one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from ostiary.errors import ConfigurationError


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn a ValidationError of a command's model into a ConfigurationError that names the member."""
    try:
        yield
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        said = "; ".join(f"{_member(fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}" for fault in faults)
        raise ConfigurationError(said) from None


def grants(apis: Sequence[str], scopes: Sequence[str], pairs: Sequence[str]) -> dict[str, list[str]]:
    """``--api`` with ``--scope``, and ``--grant IDENTIFIER=scope,scope``, as scopes for each API.

    Raises ConfigurationError.
    """
    granted: dict[str, list[str]] = {}
    if len(apis) > 1:
        # Which of them --scope is about nobody could tell.
        raise ConfigurationError("--api is given more than once: name several APIs by --grant IDENTIFIER=scope,scope")
    if scopes and not apis:
        raise ConfigurationError("--scope says what a client may do at an API: name that by --api IDENTIFIER")
    for api in apis:
        granted[api] = [one for text in scopes for one in text.replace(",", " ").split()]
    for pair in pairs:
        # An identifier may hold "=", a list of scopes after the last one is what is meant.
        identifier, equals, names = pair.rpartition("=")
        if not equals or not identifier:
            raise ConfigurationError(f"--grant {pair!r}: write it as IDENTIFIER=scope,scope")
        granted.setdefault(identifier, []).extend(one for one in names.split(",") if one)
    return granted


def described_scopes(texts: Sequence[str]) -> dict[str, str]:
    """``--scope "orders:read=See orders"`` as scope to description. Raises ConfigurationError."""
    scopes: dict[str, str] = {}
    for text in texts:
        name, _, description = text.partition("=")
        if name in scopes:
            raise ConfigurationError(f"--scope {name!r} is given twice: give each scope once")
        scopes[name] = description.strip()
    return scopes


def moment(option: str, text: str | None, *, now: Callable[[], float]) -> int | None:
    """A date, a date with a time (UTC unless it says otherwise), or ``+30d``, ``+12h``, in seconds since the epoch.

    Raises ConfigurationError.
    """
    if text is None:
        return None
    if text.startswith("+") and text[1:-1].isascii() and text[1:-1].isdigit() and text[-1] in _UNITS:
        return int(now()) + int(text[1:-1]) * _UNITS[text[-1]]
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} {text!r} is no time: write 2027-01-31, 2027-01-31T12:00, or +30d from now"
        ) from None
    return int((parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp())


def with_dates(row: Mapping[str, Any]) -> dict[str, Any]:
    """The members with times as a person reads them, for a table."""
    return {name: _date(value) if name in _MOMENTS else _flat(value) for name, value in row.items()}


_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_MOMENTS = frozenset(
    {"issued_at", "not_before", "expires_at", "created_at", "updated_at", "last_used_at", "at"}
    | {"auth_time", "last_seen_at", "idle_until", "ended_at"}
    | {"published_at", "activated_at", "retired_at", "remove_after", "not_after", "revoked_at"}
)


def _date(value: object) -> object:
    return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}Z" if isinstance(value, int) else value


def _flat(value: object) -> object:
    if not isinstance(value, dict):
        return value
    texts = {name: " ".join(one) if isinstance(one, list) else str(one) for name, one in value.items()}
    return "; ".join(f"{name}: {text}" if text else name for name, text in texts.items())


def _member(where: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in where if part != "[key]") or "the command"
