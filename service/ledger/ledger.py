"""The durable record: versions of every target, its online state, and what was acknowledged.

Each method is one transaction. A transaction that changes a target also checks that nobody else changed
it since it was read, so two writers never overwrite each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy.event
from sqlalchemy import create_engine, delete, func, inspect, select, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bundle.moments import FlatMoments
from bundle.text import describe_error
from service.adaptation.state import OnlineState
from service.ledger.records import Receipt, Target, Version, first_version, now
from service.ledger.tables import Base, EventRow, MetaRow, ReceiptRow, TargetRow, VersionRow

SCHEMA = 1
# A client that repeats a request does so soon; the ledger must not grow for ever.
RECEIPTS_KEPT = 100_000


class LedgerError(RuntimeError):
    """The ledger cannot be opened or used; one clear line."""


class LedgerConflict(LedgerError):
    """Someone else changed the target in the meantime."""


class Ledger:
    """Opens the database, making its tables if they are not there.

    Args:
        url: as SQLAlchemy takes it.

    Raises:
        LedgerError: if it cannot be opened, or was written by another version of this program.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        try:
            _make_directory(parsed)
            self._engine = create_engine(parsed)
        except (SQLAlchemyError, ImportError, OSError) as error:
            raise LedgerError(
                f"cannot open the ledger {parsed}: {describe_error(error, first_line=True)}"
            ) from error
        if parsed.get_backend_name() == "sqlite":
            sqlalchemy.event.listen(self._engine, "connect", _set_pragmas)
        try:
            self._prepare()
        except SQLAlchemyError as error:
            self.close()
            raise LedgerError(
                f"cannot open the ledger {parsed}: {describe_error(error, first_line=True)}"
            ) from error
        except LedgerError:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def open_target(self, name: str, bundle: str, state: OnlineState, admission: bytes) -> Target:
        """The target's record; if there is none for this bundle, one whose version 0 has this state."""
        with self._transaction() as session:
            query = select(TargetRow).where(TargetRow.name == name, TargetRow.bundle == bundle)
            row = session.scalar(query)
            if row is None:
                row = TargetRow(name=name, bundle=bundle, revision=0, serving=0, frozen=False)
                _store(row, state, admission)
                session.add(row)
                session.flush()
                session.add(_version_row(row.id, first_version(state, admission)))
            return _target(row)

    def record(
        self,
        target: Target,
        *,
        event: str | None = None,
        detail: dict[str, Any] | None = None,
        state: OnlineState | None = None,
        admission: bytes | None = None,
        serving: int | None = None,
        frozen: bool | None = None,
        version: Version | None = None,
        receipt: Receipt | None = None,
        forget_receipts: bool = False,
    ) -> Target:
        """Change a target in one transaction; what is None stays as it is.

        Args:
            target: as it was read or recorded last.
            event: what happened, for the history; None for a batch that only moved the state.
            detail: more about the event, JSON values.
            state, admission, serving, frozen: new values.
            version: to add.
            receipt: to add; it takes the place of one with the same key.
            forget_receipts: whether earlier answers are void, because the state goes back.

        Raises:
            LedgerConflict: if the target was changed since ``target`` was read.
        """
        new = Target(
            id=target.id,
            name=target.name,
            revision=target.revision + 1,
            serving=target.serving if serving is None else serving,
            frozen=target.frozen if frozen is None else frozen,
            state=state or target.state,
            admission=admission or target.admission,
        )
        with self._transaction() as session:
            changed = session.execute(
                update(TargetRow)
                .where(TargetRow.id == target.id, TargetRow.revision == target.revision)
                .values(
                    revision=new.revision,
                    serving=new.serving,
                    frozen=new.frozen,
                    moments=new.state.moments.to_bytes(),
                    count=new.state.count,
                    pending=new.state.pending,
                    admission=new.admission,
                )
            )
            if changed.rowcount != 1:  # type: ignore[attr-defined]
                raise LedgerConflict(f"target {target.name!r} was changed by another process")
            if version is not None:
                session.add(_version_row(target.id, version))
            if forget_receipts:
                session.execute(delete(ReceiptRow).where(ReceiptRow.target_id == target.id))
            if receipt is not None:
                same = ReceiptRow.target_id == target.id, ReceiptRow.key == receipt.key
                session.execute(delete(ReceiptRow).where(*same))
                row = ReceiptRow(target_id=target.id, **vars(receipt))
                session.add(row)
                session.flush()
                old = ReceiptRow.id <= row.id - RECEIPTS_KEPT
                session.execute(delete(ReceiptRow).where(old))
            if event is not None:
                session.add(
                    EventRow(target_id=target.id, at=now(), kind=event, detail=detail or {})
                )
        return new

    def versions(self, target: Target) -> list[Version]:
        """All versions, oldest first."""
        with self._transaction() as session:
            query = select(VersionRow).where(VersionRow.target_id == target.id)
            return [_version(row) for row in session.scalars(query.order_by(VersionRow.number))]

    def version(self, target: Target, number: int) -> Version | None:
        """One version, or None if there is no such."""
        with self._transaction() as session:
            query = select(VersionRow).where(VersionRow.target_id == target.id)
            row = session.scalar(query.where(VersionRow.number == number))
            return None if row is None else _version(row)

    def next_number(self, target: Target) -> int:
        """The number that the target's next version takes."""
        with self._transaction() as session:
            query = select(func.max(VersionRow.number)).where(VersionRow.target_id == target.id)
            return int(session.scalar(query) or 0) + 1

    def receipt(self, target: Target, key: str) -> Receipt | None:
        """What was answered under an idempotency key."""
        with self._transaction() as session:
            query = select(ReceiptRow).where(ReceiptRow.target_id == target.id)
            row = session.scalar(query.where(ReceiptRow.key == key))
            return None if row is None else Receipt(row.key, row.request, row.response)

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise LedgerError(
                f"the ledger cannot be used: {describe_error(error, first_line=True)}"
            ) from error

    def _prepare(self) -> None:
        """Make the tables, unless they are those of another version, which are left alone."""
        found = None
        with Session(self._engine) as session, session.begin():
            if inspect(session.connection()).has_table(MetaRow.__tablename__):
                found = session.scalar(select(MetaRow.schema_version))
        if found is not None and found != SCHEMA:
            raise LedgerError(f"the ledger has schema version {found}; this program uses {SCHEMA}")
        Base.metadata.create_all(self._engine)
        if found is None:
            with Session(self._engine) as session, session.begin():
                session.add(MetaRow(schema_version=SCHEMA))


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except SQLAlchemyError as error:  # the text may hold a password
        raise LedgerError("the URL of the ledger is not one that SQLAlchemy can read") from error
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise LedgerError("the ledger must be a file: in memory it would not outlast the service")
    return parsed


def _make_directory(url: URL) -> None:
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)


def _set_pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    # FULL, because an acknowledged batch must survive a power cut, not only a crash of the process.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _store(row: TargetRow, state: OnlineState, admission: bytes) -> None:
    row.moments, row.count, row.pending = state.moments.to_bytes(), state.count, state.pending
    row.admission = admission


def _target(row: TargetRow) -> Target:
    state = OnlineState(FlatMoments.from_bytes(row.moments), row.count, row.pending)
    return Target(row.id, row.name, row.revision, row.serving, row.frozen, state, row.admission)


def _version_row(target_id: int, version: Version) -> VersionRow:
    return VersionRow(
        target_id=target_id,
        number=version.number,
        parent=version.parent,
        status=version.status,
        reason=version.reason,
        created_at=version.created_at,
        moments=version.state.moments.to_bytes(),
        count=version.state.count,
        admission=version.admission,
        fingerprint=version.fingerprint,
        scores=version.scores,
    )


def _version(row: VersionRow) -> Version:
    return Version(
        number=row.number,
        parent=row.parent,
        status=row.status,
        reason=row.reason,
        state=OnlineState(FlatMoments.from_bytes(row.moments), row.count),
        admission=row.admission,
        fingerprint=row.fingerprint,
        scores=row.scores,
        created_at=row.created_at,
    )
