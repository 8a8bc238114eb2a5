"""Copies an installation's data: into a file and back (`ostiary backup`, `ostiary restore`), or into another database.

One logical form serves all three: the rows of each table, as they are, read in one consistent view of the database. It
is the same for SQLite and PostgreSQL, so a backup of the one restores into the other.
"""
