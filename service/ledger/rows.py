"""Rows of the ledger's tables as records, and back."""

from bundle.moments import FlatMoments
from service.adaptation.state import OnlineState
from service.ledger.records import Event, Receipt, Target, Version, VersionRecord
from service.ledger.tables import EventRow, ReceiptRow, SnapshotRow, TargetRow, VersionRow


def read_target(row: TargetRow) -> Target:
    """The record of a target."""
    state = OnlineState(FlatMoments.from_bytes(row.moments), row.count, row.pending)
    return Target(
        id=row.id,
        name=row.name,
        revision=row.revision,
        serving=row.serving,
        frozen=row.frozen,
        state=state,
        admission=row.admission,
        shadow=row.shadow,
    )


def read_version(row: VersionRow, snapshot: SnapshotRow) -> Version:
    """A version with its moments."""
    state = OnlineState(FlatMoments.from_bytes(snapshot.moments), row.count)
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
