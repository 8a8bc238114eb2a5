"""What every test can use: the real parts, each started on first use."""

from tests.real_parts.fixtures import (
    browser,
    curl,
    foreign_clients,
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
    "node_program",
    "openssl",
    "postgres_server",
    "postgres_url",
    "unused_port",
    "valkey_server",
    "valkey_url",
]
