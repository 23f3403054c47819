"""Moments in a table of their own, and events of fixed kinds."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import column, table

revision = "0002"
down_revision = "0001"

KINDS = {
    "new domain": "new_domain",
    "publish": "published",
    "reject": "rejected",
    "promote": "promoted",
    "rollback": "rolled_back",
    "freeze": "frozen",
    "unfreeze": "unfrozen",
}

EVENTS = table(
    "events", column("id"), column("target_id"), column("kind"), column("detail", sa.JSON)
)
RECEIPTS = table("receipts", column("id"), column("response", sa.JSON))
VERSIONS = table(
    "versions",
    column("target_id"),
    column("number"),
    column("parent"),
    column("status"),
    column("scores", sa.JSON),
)


def upgrade() -> None:
    """Move the moments of versions, and rewrite events and receipts."""
    _move_moments()
    _rewrite_events()
    _rewrite_receipts()
    op.create_index("events_of_target", "events", ["target_id", "id"])
    op.execute("UPDATE meta SET schema_version = 2")


def _move_moments() -> None:
    op.create_table(
        "snapshots",
        sa.Column("version_id", sa.Integer, sa.ForeignKey("versions.id"), primary_key=True),
        sa.Column("moments", sa.LargeBinary, nullable=False),
        sa.Column("admission", sa.LargeBinary, nullable=False),
    )
    op.execute("INSERT INTO snapshots SELECT id, moments, admission FROM versions")
    op.drop_column("versions", "moments")
    op.drop_column("versions", "admission")


def _rewrite_events() -> None:
    """Fixed kinds, and details of one form per kind."""
    connection = op.get_bind()
    versions: dict[int, dict[int, Any]] = defaultdict(dict)
    for row in connection.execute(sa.select(VERSIONS).order_by(VERSIONS.c.number)):
        versions[row.target_id][row.number] = row
    # An event of a publication did not name its version; they follow one another in both tables.
    published = {
        target: iter([row for row in rows.values() if row.status == "published"])
        for target, rows in versions.items()
    }
    for event in connection.execute(sa.select(EVENTS).order_by(EVENTS.c.id)).all():
        detail = dict(event.detail)
        match event.kind:
            case "publish":
                detail = _of_version(next(published[event.target_id], None))
            case "reject":
                rejected = versions[event.target_id].get(detail["version"])
                detail = _of_version(rejected) | {"reason": detail["reason"]}
            case "promote" | "rollback" | "reset":
                detail = {"version": detail["to"], "previous": detail["from"]}
            case "alarm" | "new domain":
                kept = ("received", "admitted", "held", "pending", "alarm")
                counts = {name: detail[name] for name in kept}
                detail = {**counts, "not_admitted": len(detail["refused"])}
        change = sa.update(EVENTS).where(EVENTS.c.id == event.id)
        kind = KINDS.get(event.kind, event.kind)
        connection.execute(change.values(kind=kind, detail=detail))


def _of_version(row: Any) -> dict[str, Any]:
    if row is None:
        return {"version": None, "parent": None, "scores": {}}
    return {"version": row.number, "parent": row.parent, "scores": row.scores}


def _rewrite_receipts() -> None:
    """The names of an outcome instead of those of the answer over HTTP."""
    connection = op.get_bind()
    for receipt in connection.execute(sa.select(RECEIPTS)).all():
        response = dict(receipt.response)
        response.pop("target")
        images = response.pop("refused")
        response["not_admitted"] = [{**image, "kind": _kind(image["reason"])} for image in images]
        response["made"] = response.pop("committed")
        if response["made"] is not None:
            response["made"]["kept"] = True
        change = sa.update(RECEIPTS).where(RECEIPTS.c.id == receipt.id)
        connection.execute(change.values(response=response))


def _kind(reason: str) -> str:
    """Why an image was not admitted, as one word; version 0.1.0 had three reasons."""
    first = reason.partition(" ")[0]
    return {"duplicate": "duplicate", "unlike": "outlier"}.get(first, "batch")
