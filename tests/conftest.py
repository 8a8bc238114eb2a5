"""What every test can use: the real parts, each started on first use."""

import pytest

from tests.real_parts.fixtures import (
    browser,
    curl,
    foreign_clients,
    migrated_database,
    migrated_postgres_url,
    node_program,
    openssl,
    postgres_server,
    postgres_url,
    unused_port,
    valkey_server,
    valkey_url,
)

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

_LONGEST_ID = 40


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A long text stands in a test's name as that of its argument: it may be a key or secret made anew by each process,
    and the workers of pytest-xdist must find the same names."""
    return argname if isinstance(val, str) and len(val) > _LONGEST_ID else None
