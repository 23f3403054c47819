"""One writer per target, whatever process it runs in.

Replicas share a ledger. Whoever changes a target holds its lock, so that the others wait for a moment and
then go on from what was written, and no change fails because another one came first. A process that dies
lets go of its locks: the kernel closes its files, PostgreSQL its connections.
"""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from bundle.text import describe_error
from service.errors import LedgerError
from service.ledger.file_locks import WAITED, lock_file, opened

WAIT_SECONDS = 30.0
# How long PostgreSQL may let a process wait before it is asked again; less than an answer may take.
SLICE_SECONDS = 4.0
# PostgreSQL's code for a lock that was not to be had in time.
NOT_AVAILABLE = "55P03"
# The first of the two numbers that name a lock in PostgreSQL.
KIND = 0x726E


class TargetLocks:
    """Locks of targets in one database.

    Args:
        engine: the database.
        wait_seconds: how long to wait for another process.
    """

    def __init__(self, engine: Engine, wait_seconds: float = WAIT_SECONDS) -> None:
        self._engine = engine
        self._wait_seconds = wait_seconds
        # Several targets of one process, or tests, may share a file.
        self._own: dict[int, threading.RLock] = {}
        self._guard = threading.Lock()
        self._held: set[int] = set()

    @contextmanager
    def hold(self, target: int, wait_seconds: float | None = None) -> Iterator[None]:
        """Hold the lock of a target as long as the block runs.

        Args:
            target: key of the target in the ledger.
            wait_seconds: how long to wait for another process, if not as long as usual.

        Raises:
            LedgerError: if another process holds it for too long, or the database cannot be used.
        """
        with self._guard:
            own = self._own.setdefault(target, threading.RLock())
        end = time.monotonic() + (self._wait_seconds if wait_seconds is None else wait_seconds)
        if not own.acquire(timeout=max(0.0, end - time.monotonic())):
            raise LedgerError(WAITED)
        try:
            if target in self._held:
                # This thread holds it already.
                yield
                return
            lock = self._in_file if self._engine.dialect.name == "sqlite" else self._in_database
            with lock(target, end):
                self._held.add(target)
                try:
                    yield
                finally:
                    self._held.discard(target)
        finally:
            own.release()

    @contextmanager
    def _in_file(self, target: int, end: float) -> Iterator[None]:
        # Whoever waits keeps its turn locked, so that a process that has just let go of the target, and
        # wants it again, comes after.
        ledger = self._engine.url.database
        with (
            opened(Path(f"{ledger}.lock-{target}")) as lock,
            opened(Path(f"{ledger}.turn-{target}")) as turn,
        ):
            lock_file(turn, end)
            try:
                lock_file(lock, end)
            finally:
                fcntl.flock(turn, fcntl.LOCK_UN)
            yield

    @contextmanager
    def _in_database(self, target: int, end: float) -> Iterator[None]:
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except SQLAlchemyError as error:
            raise _unusable(error) from error
        with connection:
            while not _lock_in_database(connection, target, end):
                if time.monotonic() >= end:
                    raise LedgerError(WAITED)
            try:
                yield
            finally:
                _release(connection, target)


def _lock_in_database(connection: Connection, target: int, end: float) -> bool:
    """Wait in the server's queue, which is in the order of arrival, for a while."""
    seconds = min(SLICE_SECONDS, max(0.001, end - time.monotonic()))
    try:
        limit = text("SELECT set_config('lock_timeout', :limit, false)")
        connection.execute(limit, {"limit": f"{round(1000 * seconds)}ms"})
        statement = text("SELECT pg_advisory_lock(:kind, :target)")
        connection.execute(statement, {"kind": KIND, "target": target})
    except SQLAlchemyError as error:
        if getattr(getattr(error, "orig", None), "sqlstate", None) == NOT_AVAILABLE:
            return False
        raise _unusable(error) from error
    return True


def _release(connection: Connection, target: int) -> None:
    statement = text("SELECT pg_advisory_unlock(:kind, :target)")
    try:
        connection.execute(statement, {"kind": KIND, "target": target})
        connection.execute(text("RESET lock_timeout"))
    except SQLAlchemyError:
        # A connection that is lost holds no lock any more.
        connection.invalidate()


def _unusable(error: SQLAlchemyError) -> LedgerError:
    return LedgerError(f"the ledger cannot be used: {describe_error(error, first_line=True)}")
