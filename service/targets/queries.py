"""Queries about a target: its versions and events."""

from service.errors import MomentsDropped, UnknownBatch, UnknownVersion
from service.ledger.ledger import Ledger
from service.ledger.records import BatchRecord, Event, Page, Version, VersionRecord
from service.targets.recorder import Recorder


class Queries:
    """Reads versions and events of a target; safe to call from any thread.

    Args:
        ledger: ledger to read.
        recorder: record of the target.
    """

    def __init__(self, ledger: Ledger, recorder: Recorder) -> None:
        self._ledger = ledger
        self._recorder = recorder

    def versions(self, page: Page) -> list[VersionRecord]:
        """Records of a page of versions by number, oldest first."""
        return self._ledger.versions(self._recorder.target, page)

    def version_record(self, number: int) -> VersionRecord:
        """The record of a version.

        Raises:
            UnknownVersion: if there is no such version.
        """
        record = self._ledger.version_record(self._recorder.target, number)
        if record is None:
            name = self._recorder.target.name
            raise UnknownVersion(
                f"target {name!r} has no version {number}; GET /versions lists them"
            )
        return record

    def version(self, number: int) -> Version:
        """A version with its moments.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
        """
        version = self._ledger.version(self._recorder.target, number)
        if version is None:
            self.version_record(number)
            raise MomentsDropped(
                f"the moments of version {number} are no longer kept, so it cannot be run or served;"
                " GET /versions marks the versions that can be"
            )
        return version

    def batch(self, key: str) -> BatchRecord:
        """What became of a batch.

        Raises:
            UnknownBatch: if there is no batch of this name.
        """
        record = self._ledger.batch(self._recorder.target, key)
        if record is None:
            name = self._recorder.target.name
            raise UnknownBatch(f"target {name!r} has no batch {key!r}; POST /adapt names it")
        return record

    def events(self, page: Page) -> list[Event]:
        """A page of the events of the target, oldest first."""
        return self._ledger.events(self._recorder.target, page)
