"""Tables of the ledger, as the newest migration leaves them."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service.vocabulary import BatchStatus, EventKind, Mode, Status


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {
        dict[str, Any]: JSON,
        dict[str, float]: JSON,
        Status: String,
        EventKind: String,
        Mode: String,
        BatchStatus: String,
    }


class MetaRow(Base):
    """The schema version, by which programs older than the migrations recognize a newer ledger."""

    __tablename__ = "meta"
    schema_version: Mapped[int] = mapped_column(primary_key=True)


class TargetRow(Base):
    """A target, with the state of its domain at the last version; batches since are rows of their own."""

    __tablename__ = "targets"
    __table_args__ = (UniqueConstraint("name", "bundle"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    bundle: Mapped[str]
    revision: Mapped[int]
    serving: Mapped[int]
    frozen: Mapped[bool]
    moments: Mapped[bytes]
    count: Mapped[float]
    pending: Mapped[int]
    admission: Mapped[bytes]
    shadow: Mapped[int | None]
    mode: Mapped[Mode]
    domain: Mapped[int]
    # Evidence about the served version, see service.guards.probation; null while there is none.
    probation: Mapped[dict[str, Any] | None]
    strikes: Mapped[int]


class DomainRow(Base):
    """A domain that a target has been in; of the one that it is in, the target has the state."""

    __tablename__ = "domains"
    __table_args__ = (UniqueConstraint("target_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    number: Mapped[int]
    name: Mapped[str | None]
    pinned: Mapped[bool]
    version: Mapped[int]
    moments: Mapped[bytes]
    count: Mapped[float]
    memory: Mapped[bytes]
    created_at: Mapped[str]
    seen_at: Mapped[str]


class BatchRow(Base):
    """A batch that was merged; its moments are kept until a version contains them."""

    __tablename__ = "batches"
    __table_args__ = (Index("batches_of_target", "target_id", "status"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    key: Mapped[str] = mapped_column(unique=True)
    domain: Mapped[int]
    client: Mapped[str | None]
    images: Mapped[int]
    weight: Mapped[float]
    moments: Mapped[bytes | None]
    memory: Mapped[bytes | None]
    status: Mapped[BatchStatus]
    version: Mapped[int | None]
    created_at: Mapped[str]


class VersionRow(Base):
    """The record of a version; it is never deleted."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("target_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    number: Mapped[int]
    parent: Mapped[int | None]
    status: Mapped[Status]
    reason: Mapped[str | None]
    created_at: Mapped[str]
    count: Mapped[float]
    fingerprint: Mapped[str]
    scores: Mapped[dict[str, float]]
    domain: Mapped[int]


class SnapshotRow(Base):
    """The moments of a version; a table of their own, so that listing versions reads none of them."""

    __tablename__ = "snapshots"
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"), primary_key=True)
    moments: Mapped[bytes]
    admission: Mapped[bytes]


class EventRow(Base):
    """Something that happened to a target."""

    __tablename__ = "events"
    __table_args__ = (Index("events_of_target", "target_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    at: Mapped[str]
    kind: Mapped[EventKind]
    detail: Mapped[dict[str, Any]]


class ReceiptRow(Base):
    """An outcome that was acknowledged under an idempotency key."""

    __tablename__ = "receipts"
    __table_args__ = (UniqueConstraint("target_id", "key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    key: Mapped[str]
    request: Mapped[str]
    response: Mapped[dict[str, Any]]
