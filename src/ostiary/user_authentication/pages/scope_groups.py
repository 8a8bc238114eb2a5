"""Scopes as people read them: grouped by the API that they belong to, each in the words that the API gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ostiary.authorization_server.registry import Registry


@dataclass(frozen=True, slots=True)
class ShownScope:
    """description: what the API says of it, "" where the catalogue of the pages has the words or nobody has any."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class ScopeGroup:
    """identifier, name: of the API; both "" for what OpenID Connect tells of the user."""

    identifier: str
    name: str
    scopes: tuple[ShownScope, ...]


async def grouped(registry: Registry, scopes: Mapping[str, tuple[str, ...]]) -> list[ScopeGroup]:
    """For the templates. scopes: by the identifier of the API, "" for OpenID Connect's. Raises Unavailable."""
    groups = []
    for identifier in sorted(scopes):
        api = await registry.api(identifier) if identifier else None
        described = api.scopes if api is not None else {}
        shown = tuple(ShownScope(name, described.get(name, name if identifier else "")) for name in scopes[identifier])
        name = api.name if api is not None else identifier
        if shown:
            groups.append(ScopeGroup(identifier, name, shown))
    return groups
