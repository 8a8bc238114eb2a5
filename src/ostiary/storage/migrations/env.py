"""Where Alembic starts: it runs on the connection, and in the transaction, that ``storage.migrate`` hands it."""

from alembic import context

from ostiary.storage.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
