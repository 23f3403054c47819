"""Runs the migrations on the connection of the ledger; Alembic loads this file by its path."""

from alembic import context

from service.ledger.tables import Base

# In the transaction of the caller: the migration is done whole or not at all.
context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
