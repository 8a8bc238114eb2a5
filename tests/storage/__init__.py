"""What only one adapter of storage has: files, group commit, migrations."""
