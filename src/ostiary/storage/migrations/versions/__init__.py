"""The migrations of the schema, run by ``ostiary.storage.migrate``."""
