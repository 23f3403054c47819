"""The durable record: versions of every target, its online state, and what was acknowledged.

Each method is one transaction. A transaction that changes a target also checks that nobody else changed
it since it was read, so two writers never overwrite each other.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Delete, Select, delete, exists, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from bundle.text import describe_error
from service.adaptation.state import OnlineState
from service.errors import LedgerConflict, LedgerError
from service.ledger import rows
from service.ledger.change import Change, Settled
from service.ledger.database import BEGIN, WRITING, open_database
from service.ledger.following import CHANNEL, Follower
from service.ledger.locks import WAIT_SECONDS, TargetLocks
from service.ledger.records import (
    BatchRecord,
    Domain,
    Event,
    Page,
    Receipt,
    Target,
    Version,
    VersionRecord,
    make_version,
    now,
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
from service.vocabulary import EventKind, Mode

# A client that repeats a request does so soon; the ledger must not grow for ever.
RECEIPTS_KEPT = 100_000


class Ledger:
    """The database of versions, states, events and receipts.

    Attributes:
        locks: locks of targets, by which one process changes a target at a time.

    Args:
        url: database URL as SQLAlchemy takes it; an older ledger is migrated.
        keep_versions: number of newest published versions, and of newest rejected ones, whose moments are
            kept, in addition to version 0, those with a label and the parent of the served one; None keeps
            all. Records of versions are always kept.
        wait_seconds: how long to wait for another process that changes a target.

    Raises:
        LedgerError: if the database cannot be opened, or a later version of this program wrote it.
    """

    def __init__(
        self, url: str, keep_versions: int | None = None, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._engine = open_database(url)
        self._writing = self._engine.execution_options(**{BEGIN: WRITING})
        self._keep_versions = keep_versions
        self.locks = TargetLocks(self._engine, wait_seconds)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def follow(self, look: Callable[[], None]) -> Follower:
        """Call a function whenever another process may have changed something, until it is closed."""
        return Follower(self._engine, look)

    def open_target(
        self, name: str, bundle: str, state: OnlineState, admission: bytes, mode: Mode = "auto"
    ) -> Target:
        """Read a target's record, making one if the ledger has none for this bundle.

        Args:
            name: name of the target.
            bundle: fingerprint of the bundle that it adapts.
            state: state of version 0, for a new target.
            admission: memory of version 0, for a new target.
            mode: what becomes of good versions, for a new target.
        """
        with self._transaction(write=True) as session:
            query = select(TargetRow).where(TargetRow.name == name, TargetRow.bundle == bundle)
            row = session.scalar(query)
            if row is None:
                row = TargetRow(name=name, bundle=bundle, revision=0, serving=0, frozen=False)
                row.mode, row.domain, row.strikes = mode, state.domain, 0
                row.moments, row.admission = state.moments.to_bytes(), admission
                row.count, row.pending = state.count, state.pending
                session.add(row)
                session.flush()
                first = make_version(0, state, admission)
                _add_version(session, row.id, first)
                at = first.record.created_at
                domain = Domain(state.domain, None, False, 0, state, admission, at, at)
                _store_domains(session, row.id, [domain])
                session.add(EventRow(target_id=row.id, at=now(), kind="opened", detail={}))
            return self._read_target(session, row)

    def read_target(self, target: Target) -> Target:
        """The record of a target as it is now."""
        with self._transaction() as session:
            found = self._read_target(session, session.get_one(TargetRow, target.id))
            return replace(found, max_count=target.max_count)

    def revision(self, target: Target) -> int:
        """The revision of a target, which says whether somebody changed it."""
        with self._transaction() as session:
            query = select(TargetRow.revision).where(TargetRow.id == target.id)
            return int(session.scalars(query).one())

    def target_names(self, bundle: str) -> list[str]:
        """Names of the targets of a bundle."""
        query = select(TargetRow.name).where(TargetRow.bundle == bundle).order_by(TargetRow.name)
        with self._transaction() as session:
            return list(session.scalars(query))

    def remove_target(self, target: Target) -> None:
        """Delete a target, with everything that belongs to it."""
        versions = select(VersionRow.id).where(VersionRow.target_id == target.id)
        with self._transaction(write=True) as session:
            session.execute(delete(SnapshotRow).where(SnapshotRow.version_id.in_(versions)))
            for table in (VersionRow, EventRow, ReceiptRow, BatchRow, DomainRow):
                session.execute(delete(table).where(table.target_id == target.id))
            session.execute(delete(TargetRow).where(TargetRow.id == target.id))

    def _read_target(self, session: Session, row: TargetRow) -> Target:
        domains = select(DomainRow).where(DomainRow.target_id == row.id).order_by(DomainRow.number)
        batches = select(BatchRow).where(BatchRow.target_id == row.id, BatchRow.status == "pending")
        return rows.read_target(
            row,
            session.scalars(domains),
            session.scalars(batches.order_by(BatchRow.id)),
        )

    def append(self, target: Target, change: Change, at: str | None = None) -> Target:
        """Record a change of a target, with its event, version and receipt, or nothing of it.

        Args:
            target: the target as it was read or recorded last.
            change: what happened.
            at: when it happened, if not now.

        Returns:
            ``target.after(change)``, as it is recorded now.

        Raises:
            LedgerConflict: if the target was changed since ``target`` was read.
        """
        new = target.after(change)
        with self._transaction(write=True) as session:
            _update_target(session, target, new)
            _store_domains(session, target.id, _changed_domains(target, new))
            if change.forgotten is not None:
                session.execute(_domains(target.id).where(DomainRow.number == change.forgotten))
            if change.batch is not None:
                session.add(rows.make_batch_row(target.id, change.batch, now()))
            for settled in change.settled(target):
                _settle(session, target.id, settled)
            if change.version is not None:
                _add_version(session, target.id, change.version)
            if change.voids_receipts:
                session.execute(delete(ReceiptRow).where(ReceiptRow.target_id == target.id))
            if change.receipt is not None:
                _store_receipt(session, target.id, change.receipt)
            event = EventRow(target_id=target.id, at=at or now(), kind=change.kind)
            event.detail = change.detail()
            session.add(event)
            if self._engine.dialect.name == "postgresql":
                session.execute(text(f"NOTIFY {CHANNEL}"))
            if self._keep_versions is not None and change.version is not None:
                _drop_snapshots(session, new, self._keep_versions)
        return new

    def versions(self, target: Target, page: Page) -> list[VersionRecord]:
        """Records of versions by number, oldest first; reads no moments."""
        kept = exists().where(SnapshotRow.version_id == VersionRow.id)
        query = select(VersionRow, kept).where(VersionRow.target_id == target.id)
        with self._transaction() as session:
            found = _read_page(session, query, VersionRow.number, page)
            return [rows.read_version_record(row, kept=has) for row, has in found]

    def version_record(self, target: Target, number: int) -> VersionRecord | None:
        """The record of one version, or None if it does not exist; reads no moments."""
        found = self.versions(target, Page(1, after=number - 1))
        return found[0] if found and found[0].number == number else None

    def version(self, target: Target, number: int) -> Version | None:
        """A version with its moments; None if it does not exist or its moments were dropped."""
        query = (
            select(VersionRow, SnapshotRow)
            .join(SnapshotRow, SnapshotRow.version_id == VersionRow.id)
            .where(VersionRow.target_id == target.id, VersionRow.number == number)
        )
        with self._transaction() as session:
            found = session.execute(query).one_or_none()
            return None if found is None else rows.read_version(*found)

    def next_number(self, target: Target) -> int:
        """The number that the target's next version takes."""
        with self._transaction() as session:
            query = select(func.max(VersionRow.number)).where(VersionRow.target_id == target.id)
            return int(session.scalar(query) or 0) + 1

    def events(self, target: Target, page: Page) -> list[Event]:
        """Events of a target, oldest first."""
        query = select(EventRow).where(EventRow.target_id == target.id)
        with self._transaction() as session:
            return [
                rows.read_event(row) for (row,) in _read_page(session, query, EventRow.id, page)
            ]

    def last_event(self, target: Target, kind: EventKind, version: int) -> Event | None:
        """The last event of a kind that concerns a version; None if there is none."""
        query = select(EventRow).where(EventRow.target_id == target.id, EventRow.kind == kind)
        with self._transaction() as session:
            for row in session.scalars(query.order_by(EventRow.id.desc())):
                if row.detail.get("version") == version:
                    return rows.read_event(row)
        return None

    def receipt(self, target: Target, key: str) -> Receipt | None:
        """The outcome that was acknowledged under an idempotency key, or None."""
        with self._transaction() as session:
            query = select(ReceiptRow).where(ReceiptRow.target_id == target.id)
            row = session.scalar(query.where(ReceiptRow.key == key))
            return None if row is None else rows.read_receipt(row)

    def batch(self, target: Target, key: str) -> BatchRecord | None:
        """What became of a batch, by its name; None if the target has no such batch."""
        query = select(BatchRow).where(BatchRow.target_id == target.id, BatchRow.key == key)
        with self._transaction() as session:
            row = session.scalar(query)
            return None if row is None else rows.read_batch_record(row)

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[Session]:
        engine = self._writing if write else self._engine
        try:
            with Session(engine) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise LedgerError(
                f"the ledger cannot be used: {describe_error(error, first_line=True)}"
            ) from error


def _update_target(session: Session, old: Target, new: Target) -> None:
    """Write the values of a target, unless it was changed since ``old`` was read."""
    values: dict[str, Any] = {
        "revision": new.revision,
        "serving": new.serving,
        "shadow": new.shadow,
        "frozen": new.frozen,
        "mode": new.mode,
        "domain": new.folded.domain,
        "probation": new.probation,
        "strikes": new.strikes,
        "count": new.folded.count,
        "pending": new.folded.pending,
    }
    # Large, and many changes leave them as they are.
    if new.folded.moments is not old.folded.moments:
        values["moments"] = new.folded.moments.to_bytes()
    if new.admission is not old.admission:
        values["admission"] = new.admission
    unchanged = TargetRow.id == old.id, TargetRow.revision == old.revision
    result = session.execute(update(TargetRow).where(*unchanged).values(**values))
    if result.rowcount != 1:  # type: ignore[attr-defined]
        raise LedgerConflict(f"target {old.name!r} was changed by another process")


def _changed_domains(old: Target, new: Target) -> list[Domain]:
    return [domain for domain in new.domains if old.domain(domain.number) is not domain]


def _store_domains(session: Session, target_id: int, domains: Iterable[Domain]) -> None:
    for domain in domains:
        same = DomainRow.target_id == target_id, DomainRow.number == domain.number
        row = session.scalar(select(DomainRow).where(*same))
        if row is None:
            row = DomainRow(target_id=target_id, number=domain.number)
            session.add(row)
        for name, value in rows.domain_values(domain).items():
            setattr(row, name, value)


def _domains(target_id: int) -> Delete:
    return delete(DomainRow).where(DomainRow.target_id == target_id)


def _settle(session: Session, target_id: int, settled: Settled) -> None:
    """Write what became of batches; their moments are in a version, or in none."""
    if not settled.keys:
        return
    chosen = BatchRow.target_id == target_id, BatchRow.key.in_(settled.keys)
    values = {"status": settled.status, "version": settled.version}
    session.execute(update(BatchRow).where(*chosen).values(moments=None, memory=None, **values))


def _add_version(session: Session, target_id: int, version: Version) -> None:
    row = rows.make_version_row(target_id, version)
    session.add(row)
    session.flush()
    session.add(rows.make_snapshot_row(row.id, version))


def _store_receipt(session: Session, target_id: int, receipt: Receipt) -> None:
    """Store a receipt instead of one with the same key, and drop the oldest ones."""
    same = ReceiptRow.target_id == target_id, ReceiptRow.key == receipt.key
    session.execute(delete(ReceiptRow).where(*same))
    row = rows.make_receipt_row(target_id, receipt)
    session.add(row)
    session.flush()
    session.execute(delete(ReceiptRow).where(ReceiptRow.id <= row.id - RECEIPTS_KEPT))


def _drop_snapshots(session: Session, target: Target, keep: int) -> None:
    """Drop the moments of all but the newest published and the newest rejected versions.

    Version 0, those with a label and the parent of the served one keep theirs. The two kinds are counted
    apart, so that a row of rejections does not push out the versions that a rollback would return to.
    """
    numbers = VersionRow.target_id == target.id
    parent = select(VersionRow.parent).where(numbers, VersionRow.number == target.serving)
    needed = {0, target.serving, target.shadow, session.scalar(parent)} - {None}
    # Any of them may come back.
    needed |= {domain.version for domain in target.domains}
    for status in ("published", "rejected"):
        newest = select(VersionRow.number).where(numbers, VersionRow.status == status)
        newest = newest.order_by(VersionRow.number.desc())
        last = session.scalar(newest.offset(keep).limit(1))
        if last is not None:
            old = select(VersionRow.id).where(
                numbers,
                VersionRow.status == status,
                VersionRow.number <= last,
                VersionRow.number.not_in(needed),
            )
            session.execute(delete(SnapshotRow).where(SnapshotRow.version_id.in_(old)))


def _read_page(
    session: Session, query: Select[*tuple[Any, ...]], key: InstrumentedAttribute[int], page: Page
) -> Sequence[Any]:
    """Rows of a page in ascending order of the key."""
    if page.before is not None:
        query = query.where(key < page.before)
    if page.after is not None:
        query = query.where(key > page.after)
        return session.execute(query.order_by(key).limit(page.limit)).all()
    newest_first = session.execute(query.order_by(key.desc()).limit(page.limit)).all()
    return newest_first[::-1]
