"""Brings the tables of a ledger to the schema that this program uses."""

from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, Engine, text

from service.errors import LedgerError
from service.ledger.tables import Base, MetaRow

REVISIONS = ("0001", "0002", "0003", "0004")
# The first is that of ledgers that programs without migrations wrote; the last is what this program uses.
FIRST, HEAD = REVISIONS[0], REVISIONS[-1]
# The schema version that the last migration leaves.
SCHEMA = len(REVISIONS)
# An arbitrary number that all processes share.
LOCK = 0x726E6C6564676572
MIGRATIONS = Path(__file__).parent / "migrations"


def prepare(engine: Engine) -> None:
    """Make the tables of an empty database, or migrate those of an earlier program, in one transaction.

    Raises:
        LedgerError: if a later version of this program wrote them; nothing is changed then.
        SQLAlchemyError: if the database cannot be used.
    """
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        # Read again: another process may have been faster. It is locked out from here on, on SQLite by
        # the way in which the transaction began.
        revision = _revision(connection)
        if revision is None:
            _create(connection)
        elif revision != HEAD:
            _migrate(connection, revision)


def _revision(connection: Connection) -> str | None:
    """The migration that the tables are at; None if there are no tables."""
    inspector = sqlalchemy.inspect(connection)
    if inspector.has_table("alembic_version"):
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found not in REVISIONS:
            raise LedgerError(
                f"the ledger has schema {found}, of a later version of this program; this one uses {HEAD}"
            )
        return str(found)
    if not inspector.has_table(MetaRow.__tablename__):
        return None
    version = connection.scalar(sqlalchemy.select(MetaRow.schema_version))
    if version != 1:
        raise LedgerError(f"the ledger has schema version {version}; this program uses {SCHEMA}")
    return FIRST


def _create(connection: Connection) -> None:
    Base.metadata.create_all(connection)
    connection.execute(sqlalchemy.insert(MetaRow).values(schema_version=SCHEMA))
    # As Alembic makes it.
    connection.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _migrate(connection: Connection, revision: str) -> None:
    # Imported here, because few starts of the service need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    if revision == FIRST:
        command.stamp(config, FIRST)
    command.upgrade(config, "head")
