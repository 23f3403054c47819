"""Queries about a target: its versions and events."""

from collections import OrderedDict

from service.errors import LedgerError, MomentsDropped, UnknownBatch, UnknownVersion
from service.ledger.ledger import Ledger
from service.ledger.records import BatchRecord, Event, Page, Version, VersionRecord
from service.targets.recorder import Recorder

# Moments of a version are a megabyte for a large network.
MAX_KNOWN = 4


class Queries:
    """Reads versions and events of a target; safe to call from any thread.

    Args:
        ledger: ledger to read.
        recorder: record of the target.
    """

    def __init__(self, ledger: Ledger, recorder: Recorder) -> None:
        self._ledger = ledger
        self._recorder = recorder
        self._known: OrderedDict[int, Version] = OrderedDict()

    def versions(self, page: Page) -> list[VersionRecord]:
        """Records of a page of versions by number, oldest first."""
        return self._ledger.versions(self._recorder.target, page)

    def version_record(self, number: int) -> VersionRecord:
        """The record of a version.

        Raises:
            UnknownVersion: if there is no such version.
        """
        try:
            record = self._ledger.version_record(self._recorder.target, number)
        except LedgerError:
            if number not in self._known:
                raise
            return self._known[number].record
        if record is None:
            name = self._recorder.target.name
            raise UnknownVersion(
                f"target {name!r} has no version {number}; GET /versions lists them"
            )
        return record

    def version(self, number: int) -> Version:
        """A version with its moments; those that were read last are also known without the ledger.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
        """
        try:
            version = self._ledger.version(self._recorder.target, number)
        except LedgerError:
            if number not in self._known:
                raise
            return self._known[number]
        if version is None:
            self.version_record(number)
            raise MomentsDropped(
                f"the moments of version {number} are no longer kept, so it cannot be run or served;"
                " GET /versions marks the versions that can be"
            )
        self._known[number] = version
        self._known.move_to_end(number)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return version

    def keep_known(self) -> None:
        """Read the versions that an emergency stop could return to, while the ledger can be read."""
        serving = self.version(self._recorder.target.serving)
        if serving.record.parent is not None:
            self.version(serving.record.parent)
        self.version(0)

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
