"""Migrations of the ledger, by Alembic; a new one goes into ``versions``."""
