"""What every test can use: the real parts, each started on first use."""

from collections import Counter

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
# Few tests and much time: servers and processes of their own, or waits that are the claim.
_LONG_FILES = (
    "tests/chaos/test_short.py",
    "tests/backup/test_restore.py",
    "tests/backup/test_migrate.py",
    "tests/real/test_passkeys.py",
    "tests/real/test_pages_in_use.py",
    "tests/storage/test_postgres_network.py",
    "tests/storage/test_standby.py",
    "tests/contract/storage/test_processes.py",
    "tests/protocol/test_properties.py",
    "tests/house/test_bare_wheel.py",
)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A long text stands in a test's name as that of its argument: it may be a key or secret made anew by each process,
    and the workers of pytest-xdist must find the same names."""
    return argname if isinstance(val, str) and len(val) > _LONGEST_ID else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no worker is left alone with one of them at the end."""
    first = {file: place for place, file in enumerate(_LONG_FILES)}
    sizes = Counter(_file(item) for item in items)
    items.sort(key=lambda item: (first.get(_file(item), len(first)), -sizes[_file(item)]))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
