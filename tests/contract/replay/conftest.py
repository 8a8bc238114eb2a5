"""The databases of the suites of storage, for the replay marks of the server."""

from tests.contract.storage.conftest import sqlite_url

__all__ = ["sqlite_url"]
