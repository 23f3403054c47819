"""The record of a target as this process knows it, and the only way to change it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import ConcurrentChange, LedgerConflict, LedgerError
from service.ledger.change import Change
from service.ledger.ledger import Ledger
from service.ledger.records import Target, now
from service.ledger.server import answers_within
from service.monitoring.reporting import TargetReport

# How long a stop waits for the ledger before it is kept in memory.
STOP_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Recorder:
    """Appends changes to the ledger, and keeps the record that they leave.

    Emergency stops work without the ledger: they are kept here, hold at once, and are written as soon as
    the ledger can be used again.

    Args:
        ledger: where changes are recorded.
        open_target: reads the record from the ledger.
        report: metrics of the target.

    Attributes:
        on_conflict: called with the new record after another process changed the target.
        owed: stops that the ledger does not know yet, and when they were made; oldest first.
    """

    def __init__(
        self, ledger: Ledger, open_target: Callable[[], Target], report: TargetReport
    ) -> None:
        self._ledger = ledger
        self._open_target = open_target
        self._report = report
        self._target = open_target()
        self.on_conflict: Callable[[Target], None] = lambda _: None
        self.owed: list[tuple[str, Change]] = []

    @property
    def target(self) -> Target:
        """The target as it was recorded last, and as the stops that are owed leave it."""
        return self._target

    @contextmanager
    def writing(self, wait_seconds: float | None = None) -> Iterator[None]:
        """A block in which no other process changes the target, and its record is the newest.

        Args:
            wait_seconds: how long to wait for another process, if not as long as usual.

        Raises:
            LedgerError: if another process does not let go of it, or the ledger cannot be used.
        """
        with self._ledger.locks.hold(self._target.id, wait_seconds):
            self.catch_up()
            yield

    def catch_up(self) -> None:
        """Write the stops that are owed, and read the record again if another process changed it.

        Raises:
            LedgerError: if the ledger cannot be used.
        """
        if self.owed:
            self._pay()
        elif self._ledger.revision(self._target) != self._target.revision:
            self._read_again()

    def append(self, change: Change) -> None:
        """Record a change.

        Raises:
            ConcurrentChange: if another process changed the target; its record is read again first.
            LedgerError: if the change cannot be recorded; nothing has changed then.
        """
        try:
            self._target = self._ledger.append(self._target, change)
        except LedgerConflict as error:
            self._read_again()
            raise ConcurrentChange(f"{error}; try again") from error
        self._said(change)

    def stop(self, change: Change) -> bool:
        """Record a change that stops something; if the ledger cannot be used, keep it and write it later.

        Returns:
            Whether the ledger has it.
        """
        try:
            with answers_within(STOP_SECONDS), self.writing(STOP_SECONDS):
                self.append(change)
            return True
        except ConcurrentChange:
            raise
        except LedgerError as error:
            logger.warning(
                "target %s: kept in memory, and written later: %s", self.target.name, error
            )
            self.owed.append((now(), change))
            # The revision stays that of the ledger, by which the change is written later.
            revision = self._target.revision
            after = self._target.after(change)
            object.__setattr__(after, "revision", revision)
            self._target = after
            self._said(change)
            return False

    def report(self) -> None:
        """Bring the metrics of the target up to date."""
        target = self._target
        self._report.report_record(
            target.serving,
            target.state.pending,
            target.frozen,
            target.folded.domain,
            len(target.domains),
        )

    def _pay(self) -> None:
        target = self._open_target()
        while self.owed:
            at, change = self.owed[0]
            target = self._ledger.append(target, change, at)
            del self.owed[0]
        self._target = target
        self.on_conflict(target)
        self.report()
        logger.warning("target %s: what was kept in memory is written", target.name)

    def _read_again(self) -> None:
        self._target = self._open_target()
        self.on_conflict(self._target)
        self.report()

    def _said(self, change: Change) -> None:
        self._report.log_change(change.kind, change.detail())
        self.report()
