"""The tables of version 0.1.0, which it made without migrations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    meta = op.create_table("meta", sa.Column("schema_version", sa.Integer, primary_key=True))
    op.bulk_insert(meta, [{"schema_version": 1}])
    op.create_table(
        "targets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("bundle", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("serving", sa.Integer, nullable=False),
        sa.Column("frozen", sa.Boolean, nullable=False),
        sa.Column("moments", sa.LargeBinary, nullable=False),
        sa.Column("count", sa.Double, nullable=False),
        sa.Column("pending", sa.Integer, nullable=False),
        sa.Column("admission", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("name", "bundle"),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("target_id", sa.Integer, sa.ForeignKey("targets.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("parent", sa.Integer),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("created_at", sa.String, nullable=False),
        sa.Column("moments", sa.LargeBinary, nullable=False),
        sa.Column("count", sa.Double, nullable=False),
        sa.Column("admission", sa.LargeBinary, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.UniqueConstraint("target_id", "number"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("target_id", sa.Integer, sa.ForeignKey("targets.id"), nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("target_id", sa.Integer, sa.ForeignKey("targets.id"), nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("response", sa.JSON, nullable=False),
        sa.UniqueConstraint("target_id", "key"),
    )
