"""Either database, full and empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backup.room import Room
from tests.real_parts.postgres import PostgresServer

MakeRoom = Callable[[str], Room]
KINDS = ("sqlite", "postgres")


@pytest.fixture
def empty(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Callable[[str], str]]:
    """Gives the URL of an empty database of a kind."""
    made: list[str] = []

    def url(kind: str) -> str:
        if kind == "sqlite":
            made.append(f"sqlite:///{tmp_path / f'db{len(made)}'}")
        else:
            made.append(postgres_server.fresh_database())
        return made[-1]

    yield url
    for one in made:
        if one.startswith("postgres"):
            postgres_server.drop_database(one)


@pytest.fixture
def room(tmp_path: Path, empty: Callable[[str], str]) -> MakeRoom:
    """Gives an installation with rows in it."""

    def made(kind: str) -> Room:
        built = Room(tmp_path, empty(kind))
        built.fill()
        return built

    return made
