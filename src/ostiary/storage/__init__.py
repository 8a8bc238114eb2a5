"""The seam to the database: an async unit of work and one small repository an aggregate."""
