"""Handling of SIGTERM by ``rn serve``, before and after the service runs."""

import os
import signal
import sys


def exit_at_once() -> None:
    """Let SIGTERM end this process with status 0 at once, even in the middle of an import.

    Nothing is cleaned up: an exception that a signal raises inside the import of a compiled module, or
    inside a finalizer, may be swallowed, and the signal with it. Before the service runs there is
    nothing to clean up either: the ledger survives the end of the process at any moment.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def exit_cleanly() -> None:
    """Let SIGTERM end this process with status 0 by an exception, so that everything is closed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
