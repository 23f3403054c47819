"""One writer per target, whatever process it runs in.

Replicas share a ledger. Whoever changes a target holds its lock, so that the others wait for a moment and
then go on from what was written, and no change fails because another one came first. A process that dies
lets go of its locks: the kernel closes its files, PostgreSQL its connections.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from bundle.text import describe_error
from service.errors import LedgerError

WAIT_SECONDS = 30.0
# How often a lock that another process holds is tried.
POLL_SECONDS = 0.02
# The first of the two numbers that name a lock in PostgreSQL.
KIND = 0x726E
_WAITED = "another process has been changing the target for too long; try again"


class TargetLocks:
    """Locks of targets in one database.

    Args:
        engine: the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Several targets of one process, or tests, may share a file.
        self._own: dict[int, threading.RLock] = {}
        self._guard = threading.Lock()
        self._held: set[int] = set()

    @contextmanager
    def hold(self, target: int) -> Iterator[None]:
        """Hold the lock of a target as long as the block runs.

        Args:
            target: key of the target in the ledger.

        Raises:
            LedgerError: if another process holds it for too long, or the database cannot be used.
        """
        with self._guard:
            own = self._own.setdefault(target, threading.RLock())
        if not own.acquire(timeout=WAIT_SECONDS):
            raise LedgerError(_WAITED)
        try:
            if target in self._held:
                # This thread holds it already.
                yield
                return
            lock = self._in_file if self._engine.dialect.name == "sqlite" else self._in_database
            with lock(target):
                self._held.add(target)
                try:
                    yield
                finally:
                    self._held.discard(target)
        finally:
            own.release()

    @contextmanager
    def _in_file(self, target: int) -> Iterator[None]:
        path = Path(f"{self._engine.url.database}.lock-{target}")
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"the ledger cannot be locked: {describe_error(error)}") from error
        try:
            _wait(lambda: _try_file(descriptor))
            yield
        finally:
            # Closing it releases the lock.
            os.close(descriptor)

    @contextmanager
    def _in_database(self, target: int) -> Iterator[None]:
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except SQLAlchemyError as error:
            raise _unusable(error) from error
        with connection:
            _wait(lambda: _try_database(connection, target))
            try:
                yield
            finally:
                _release(connection, target)


def _wait(acquire: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not acquire():
        if time.monotonic() > end:
            raise LedgerError(_WAITED)
        time.sleep(POLL_SECONDS)


def _try_file(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_database(connection: Connection, target: int) -> bool:
    statement = text("SELECT pg_try_advisory_lock(:kind, :target)")
    try:
        return bool(connection.scalar(statement, {"kind": KIND, "target": target}))
    except SQLAlchemyError as error:
        raise _unusable(error) from error


def _release(connection: Connection, target: int) -> None:
    statement = text("SELECT pg_advisory_unlock(:kind, :target)")
    try:
        connection.execute(statement, {"kind": KIND, "target": target})
    except SQLAlchemyError:
        # A connection that is lost holds no lock any more.
        connection.invalidate()


def _unusable(error: SQLAlchemyError) -> LedgerError:
    return LedgerError(f"the ledger cannot be used: {describe_error(error, first_line=True)}")
