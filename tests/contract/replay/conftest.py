"""The databases of the suites of storage, for the replay marks of the server."""

from tests.contract.storage.conftest import migrated_file, sqlite_url

__all__ = ["migrated_file", "sqlite_url"]
