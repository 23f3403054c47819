"""Rows of the ledger's tables as records, and back."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from bundle.moments import FlatMoments
from service.adaptation.state import OnlineState
from service.ledger.records import (
    Batch,
    BatchRecord,
    Domain,
    Event,
    Receipt,
    Target,
    Version,
    VersionRecord,
)
from service.ledger.tables import (
    BatchRow,
    DomainRow,
    EventRow,
    ReceiptRow,
    SnapshotRow,
    TargetRow,
    VersionRow,
)


def read_target(
    row: TargetRow,
    domains: Iterable[DomainRow],
    batches: Iterable[BatchRow],
) -> Target:
    """The record of a target.

    Args:
        row: row of the target.
        domains: rows of its domains.
        batches: rows of its pending batches, oldest first.
    """
    moments = FlatMoments.from_bytes(row.moments)
    return Target(
        id=row.id,
        name=row.name,
        revision=row.revision,
        serving=row.serving,
        frozen=row.frozen,
        folded=OnlineState(moments, row.count, row.pending, row.domain),
        admission=row.admission,
        shadow=row.shadow,
        mode=row.mode,
        batches=tuple(map(read_batch, batches)),
        domains=tuple(map(read_domain, domains)),
        probation=row.probation,
        strikes=row.strikes,
    )


def read_domain(row: DomainRow) -> Domain:
    """A domain."""
    state = OnlineState(FlatMoments.from_bytes(row.moments), row.count, domain=row.number)
    return Domain(
        number=row.number,
        name=row.name,
        pinned=row.pinned,
        version=row.version,
        state=state,
        memory=row.memory,
        created_at=row.created_at,
        seen_at=row.seen_at,
    )


def domain_values(domain: Domain) -> dict[str, Any]:
    """Values of the row of a domain."""
    return {
        "name": domain.name,
        "pinned": domain.pinned,
        "version": domain.version,
        "moments": domain.state.moments.to_bytes(),
        "count": domain.state.count,
        "memory": domain.memory,
        "created_at": domain.created_at,
        "seen_at": domain.seen_at,
    }


def read_batch(row: BatchRow) -> Batch:
    """A pending batch."""
    assert row.moments is not None
    assert row.memory is not None
    mean, variance = np.frombuffer(row.moments, "<f4").astype(np.float64).reshape(2, -1)
    moments = FlatMoments(mean, variance)
    return Batch(row.key, row.domain, row.client, row.images, row.weight, moments, row.memory)


def read_batch_record(row: BatchRow) -> BatchRecord:
    """What became of a batch."""
    return BatchRecord(
        row.key, row.domain, row.client, row.images, row.status, row.version, row.created_at
    )


def make_batch_row(target_id: int, batch: Batch, at: str) -> BatchRow:
    """The row of a batch that is pending."""
    return BatchRow(
        target_id=target_id,
        key=batch.key,
        domain=batch.domain,
        client=batch.client,
        images=batch.images,
        weight=batch.weight,
        moments=np.concatenate(batch.moments).astype("<f4").tobytes(),
        memory=batch.memory,
        status="pending",
        version=None,
        created_at=at,
    )


def read_version(row: VersionRow, snapshot: SnapshotRow) -> Version:
    """A version with its moments."""
    moments = FlatMoments.from_bytes(snapshot.moments)
    state = OnlineState(moments, row.count, domain=row.domain)
    return Version(read_version_record(row, kept=True), state, snapshot.admission)


def read_version_record(row: VersionRow, *, kept: bool) -> VersionRecord:
    """The record of a version.

    Args:
        row: row of the version.
        kept: whether the version has a snapshot.
    """
    return VersionRecord(
        number=row.number,
        parent=row.parent,
        status=row.status,
        reason=row.reason,
        count=row.count,
        fingerprint=row.fingerprint,
        scores=row.scores,
        created_at=row.created_at,
        kept=kept,
        domain=row.domain,
    )


def make_version_row(target_id: int, version: Version) -> VersionRow:
    """The row of a version."""
    record = version.record
    return VersionRow(
        target_id=target_id,
        number=record.number,
        parent=record.parent,
        status=record.status,
        reason=record.reason,
        count=record.count,
        fingerprint=record.fingerprint,
        scores=record.scores,
        created_at=record.created_at,
        domain=record.domain,
    )


def make_snapshot_row(version_id: int, version: Version) -> SnapshotRow:
    """The row of a version's moments."""
    moments = version.state.moments.to_bytes()
    return SnapshotRow(version_id=version_id, moments=moments, admission=version.admission)


def read_event(row: EventRow) -> Event:
    """An event."""
    return Event(row.id, row.at, row.kind, row.detail)


def read_receipt(row: ReceiptRow) -> Receipt:
    """A receipt."""
    return Receipt(row.key, row.request, row.response)


def make_receipt_row(target_id: int, receipt: Receipt) -> ReceiptRow:
    """The row of a receipt."""
    return ReceiptRow(
        target_id=target_id, key=receipt.key, request=receipt.request, response=receipt.outcome
    )
