"""Domains of a target, batches that are in no version yet, modes, and evidence about versions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables and columns; until now everything happened in one domain, and was published."""
    op.add_column("targets", sa.Column("mode", sa.String, nullable=False, server_default="auto"))
    op.add_column("targets", sa.Column("domain", sa.Integer, nullable=False, server_default="0"))
    op.add_column("targets", sa.Column("probation", sa.JSON))
    op.add_column("targets", sa.Column("strikes", sa.Integer, nullable=False, server_default="0"))
    op.add_column("versions", sa.Column("domain", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "domains",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("target_id", sa.Integer, sa.ForeignKey("targets.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("moments", sa.LargeBinary, nullable=False),
        sa.Column("count", sa.Double, nullable=False),
        sa.Column("memory", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
        sa.Column("seen_at", sa.String, nullable=False),
        sa.UniqueConstraint("target_id", "number"),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("target_id", sa.Integer, sa.ForeignKey("targets.id"), nullable=False),
        sa.Column("key", sa.String, nullable=False, unique=True),
        sa.Column("domain", sa.Integer, nullable=False),
        sa.Column("client", sa.String),
        sa.Column("images", sa.Integer, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("moments", sa.LargeBinary),
        sa.Column("memory", sa.LargeBinary),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("created_at", sa.String, nullable=False),
    )
    op.create_index("batches_of_target", "batches", ["target_id", "status"])
    op.execute(
        "INSERT INTO domains (target_id, number, pinned, version, moments, count, memory, created_at,"
        " seen_at) SELECT t.id, 0, true, t.serving, t.moments, t.count, t.admission,"
        " v.created_at, v.created_at FROM targets t JOIN versions v"
        " ON v.target_id = t.id AND v.number = 0"
    )
    op.execute("UPDATE meta SET schema_version = 4")
