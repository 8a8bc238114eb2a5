"""The contract of storage, on SQLite and on PostgreSQL."""
