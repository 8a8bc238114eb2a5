"""An API's world: a clock that stands still, an authorization server, a guard, and tokens with one fault each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.trace_sinks import MemorySink
from tests.resource_server.issuer_server import IssuerServer, running_issuer
from tests.resource_server.world import Clock, World


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    with running_issuer() as server:
        yield server


@pytest.fixture
def world(issuer: IssuerServer, clock: Clock, tmp_path: Path) -> Iterator[World]:
    made = World(issuer, clock, MemorySink(), tmp_path)
    yield made
    made.close()
