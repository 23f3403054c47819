"""Notices what other processes do to the ledger: at once on PostgreSQL, within a moment elsewhere."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
CHANNEL = "rn_targets"


class Follower:
    """Calls a function whenever something may have changed.

    PostgreSQL tells (``LISTEN``). As that connection can be lost without a word, and other databases
    cannot tell, the function is also called four times a second; it should then be one cheap query.

    Args:
        engine: the database.
        look: called in the follower's thread; what it raises is logged once in a row.
    """

    def __init__(self, engine: Engine, look: Callable[[], None]) -> None:
        self._engine = engine
        self._look = look
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; the function is not called any more."""
        self._stop.set()
        self._thread.join()
        # Whoever is called may hold this object.
        self._look = lambda: None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._engine.dialect.name == "postgresql":
                    self._listen()
                else:
                    self._stop.wait(POLL_SECONDS)
                    self._look()
                self._failing = False
            except Exception as error:
                if not self._failing:
                    logger.warning("what other processes do cannot be followed: %s", error)
                self._failing = True
                self._stop.wait(POLL_SECONDS)

    def _listen(self) -> None:
        """Look at every notification and at every turn, until the connection is lost or the end comes."""
        with self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            raw.autocommit = True
            try:
                raw.execute(f"LISTEN {CHANNEL}")
                self._failing = False
                while not self._stop.is_set():
                    for _ in raw.notifies(timeout=POLL_SECONDS, stop_after=1):
                        pass
                    self._look()
            finally:
                connection.invalidate()
