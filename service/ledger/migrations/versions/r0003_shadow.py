"""The label ``shadow`` of a target."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the version that carries the label; none does yet."""
    op.add_column("targets", sa.Column("shadow", sa.Integer, nullable=True))
    op.execute("UPDATE meta SET schema_version = 3")
