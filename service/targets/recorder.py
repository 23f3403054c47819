"""The record of a target as this process knows it, and the only way to change it."""

from collections.abc import Callable

from service.errors import ConcurrentChange, LedgerConflict
from service.ledger.change import Change
from service.ledger.ledger import Ledger
from service.ledger.records import Target
from service.monitoring.reporting import TargetReport


class Recorder:
    """Appends changes to the ledger, and keeps the record that they leave.

    Args:
        ledger: where changes are recorded.
        open_target: reads the record from the ledger.
        report: metrics of the target.

    Attributes:
        on_conflict: called with the new record after another process changed the target.
    """

    def __init__(
        self, ledger: Ledger, open_target: Callable[[], Target], report: TargetReport
    ) -> None:
        self._ledger = ledger
        self._open_target = open_target
        self._report = report
        self._target = open_target()
        self.on_conflict: Callable[[Target], None] = lambda _: None

    @property
    def target(self) -> Target:
        """The target as it was recorded last."""
        return self._target

    def append(self, change: Change) -> None:
        """Record a change.

        Raises:
            ConcurrentChange: if another process changed the target; its record is read again first.
            LedgerError: if the change cannot be recorded; nothing has changed then.
        """
        try:
            self._target = self._ledger.append(self._target, change)
        except LedgerConflict as error:
            self._target = self._open_target()
            self.on_conflict(self._target)
            self.report()
            raise ConcurrentChange(f"{error}; try again") from error
        self._report.log_change(change.kind, change.detail())
        self.report()

    def report(self) -> None:
        """Bring the metrics of the target up to date."""
        target = self._target
        self._report.report_record(target.serving, target.state.pending, target.frozen)
