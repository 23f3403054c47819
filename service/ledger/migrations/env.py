"""Runs the migrations on the connection of the ledger; Alembic loads this file by its path."""

from alembic import context

from service.ledger.tables import Base

# The caller's transaction is the migration's: all of it is done, or nothing.
context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
