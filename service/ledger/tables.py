"""Tables of the ledger."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service.ledger.records import Status


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, dict[str, float]: JSON, Status: String}


class MetaRow(Base):
    __tablename__ = "meta"
    schema_version: Mapped[int] = mapped_column(primary_key=True)


class TargetRow(Base):
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


class VersionRow(Base):
    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("target_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    number: Mapped[int]
    parent: Mapped[int | None]
    status: Mapped[Status]
    reason: Mapped[str | None]
    created_at: Mapped[str]
    moments: Mapped[bytes]
    count: Mapped[float]
    admission: Mapped[bytes]
    fingerprint: Mapped[str]
    scores: Mapped[dict[str, float]]


class EventRow(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    at: Mapped[str]
    kind: Mapped[str]
    detail: Mapped[dict[str, Any]]


class ReceiptRow(Base):
    __tablename__ = "receipts"
    __table_args__ = (UniqueConstraint("target_id", "key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    key: Mapped[str]
    request: Mapped[str]
    response: Mapped[dict[str, Any]]
