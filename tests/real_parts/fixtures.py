"""The real parts as pytest fixtures; each worker of pytest-xdist starts servers of its own, on first use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.real_parts.browser import chromium
from tests.real_parts.migrated import MigratedDatabase
from tests.real_parts.node import FOREIGN_CLIENTS, locked_packages, node
from tests.real_parts.ports import free_port
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.system_packages import system_program
from tests.real_parts.valkey import ValkeyServer

__all__ = [
    "browser",
    "curl",
    "foreign_clients",
    "migrated_database",
    "migrated_postgres_url",
    "node_program",
    "openssl",
    "postgres_server",
    "postgres_url",
    "unused_port",
    "valkey_server",
    "valkey_url",
]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL; a test that crashes it should start one of its own instead."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database, dropped after the test."""
    url = postgres_server.fresh_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def migrated_database(postgres_server: PostgresServer) -> Iterator[MigratedDatabase]:
    """The one of this worker that has the tables of the server."""
    database = MigratedDatabase(postgres_server)
    yield database
    database.drop()


@pytest.fixture
def migrated_postgres_url(migrated_database: MigratedDatabase) -> str:
    """The address of a database as the migrations leave it; nothing is left of an earlier test."""
    return migrated_database.fresh()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """A running Valkey; a test that crashes it should start one of its own instead."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def valkey_url(valkey_server: ValkeyServer) -> str:
    """The address of a running Valkey; tests keep apart by random names."""
    return valkey_server.url


@pytest.fixture(scope="session")
def node_program() -> Path:
    """The path of Node."""
    return node()


@pytest.fixture(scope="session")
def foreign_clients() -> Path:
    """A folder whose ``node_modules`` holds what tests/foreign_clients/package-lock.json names."""
    return locked_packages(FOREIGN_CLIENTS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, for the tests of one file; each visitor wants a context of its own."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def curl() -> str:
    """The path of curl."""
    return system_program("curl")


@pytest.fixture(scope="session")
def openssl() -> str:
    """The path of openssl."""
    return system_program("openssl")


@pytest.fixture
def unused_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    return free_port()
