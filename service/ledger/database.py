"""Opens the database of the ledger, with its tables as this program needs them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy.event
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from bundle.extras import install_command
from bundle.text import describe_error
from service.errors import LedgerError
from service.ledger.file_locks import lock_file, opened
from service.ledger.schema import prepare
from service.ledger.server import limit_waits, with_options

# How long a process waits for others that open the same file.
OPENING_SECONDS = 60.0
# How the transactions of a connection begin; SQLite only.
BEGIN = "begin"
READING, WRITING = "DEFERRED", "IMMEDIATE"


def open_database(url: str) -> Engine:
    """Connect to a database, making its directory and tables, or migrating them, where needed.

    Args:
        url: database URL as SQLAlchemy takes it.

    Raises:
        LedgerError: if it cannot be opened, or a later version of this program wrote it.
    """
    given = parsed = _parse(url)
    server = parsed.drivername == "postgresql+psycopg"
    if server:
        parsed = with_options(parsed)
    try:
        _make_directory(parsed)
        # A server that was restarted leaves connections behind that cannot be used.
        engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise _cannot_open(given, error) from error
    if parsed.get_backend_name() == "sqlite":
        sqlalchemy.event.listen(engine, "connect", _set_pragmas)
        sqlalchemy.event.listen(engine, "begin", _begin)
    try:
        with _alone(parsed):
            prepare(engine.execution_options(**{BEGIN: WRITING}))
    except SQLAlchemyError as error:
        engine.dispose()
        raise _cannot_open(given, error) from error
    except LedgerError as error:
        engine.dispose()
        hint = _permission_hint(parsed)
        if hint:
            raise LedgerError(f"{error}{hint}") from error
        raise
    if server:
        # Only now: to migrate a large ledger may take long.
        limit_waits(engine)
    return engine


@contextmanager
def _alone(url: URL) -> Iterator[None]:
    """Open a file one process at a time: two that switch its journal at once are refused, not delayed."""
    if url.get_backend_name() != "sqlite":
        yield
        return
    with opened(Path(f"{url.database}.lock-opening")) as lock:
        lock_file(lock, time.monotonic() + OPENING_SECONDS)
        yield


def _cannot_open(url: URL, error: Exception) -> LedgerError:
    reason = describe_error(error, first_line=True)
    hint = _permission_hint(url)
    if isinstance(error, ImportError) and url.drivername == "postgresql+psycopg":
        hint = f": {install_command('postgres')}"
    return LedgerError(f"cannot open the ledger {url}: {reason}{hint}")


def _permission_hint(url: URL) -> str:
    """What would let this user write the file of a ledger, as after a volume was made by root."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return ""
    file = Path(url.database).absolute()
    # Unlike those of a path, these say no where one may not look.
    folder = next((each for each in file.parents if os.path.exists(each)), file.parent)
    places = [place for place in (folder, file) if os.path.exists(place)]
    if all(os.access(place, os.W_OK, effective_ids=True) for place in places):
        return ""
    user, group = os.geteuid(), os.getegid()
    return (
        f"; this process is user {user} and may not write there: chown -R {user}:{group} {folder}"
    )


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
    # Python's driver begins transactions late and not before DDL; here they begin with `_begin`.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL, because an acknowledged batch must survive a power cut, not only a crash of the process.
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer that began as a reader could fail with SQLITE_BUSY however long it is ready to wait.
    mode = connection.get_execution_options().get(BEGIN, READING)
    connection.exec_driver_sql(f"BEGIN {mode}")
