"""The databases of the suites of storage, for the replay marks of the server."""

from tests.contract.storage.conftest import migrated_database, migrated_file, postgres_copy, sqlite_url

__all__ = ["migrated_database", "migrated_file", "postgres_copy", "sqlite_url"]
