"""Locks on files, which the system takes from a process that dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundle.text import describe_error
from service.errors import LedgerError

# How often a file that another process has locked is tried.
POLL_SECONDS = 0.005
WAITED = "another process has been changing the ledger for too long; try again"


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of a file to lock; closing it releases the lock.

    Raises:
        LedgerError: if it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(f"the ledger cannot be locked: {describe_error(error)}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lock_file(descriptor: int, end: float) -> None:
    """Lock a file.

    Args:
        descriptor: the file.
        end: when to give up, as ``time.monotonic`` counts.

    Raises:
        LedgerError: if another process holds it until then.
    """
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise LedgerError(WAITED) from None
        time.sleep(POLL_SECONDS)
