"""Where Alembic starts: it runs on the connection that ``storage.migrate`` hands it.

If that is in a transaction everything runs in it; else each migration runs in one of its own.
"""

from alembic import context

from ostiary.storage.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
