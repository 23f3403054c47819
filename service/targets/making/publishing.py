"""Makes versions of pending images when they are due, and publishes, proposes or rejects them."""

import logging
from collections.abc import Callable
from dataclasses import replace

from service.adaptation.estimator import MomentEstimator
from service.adaptation.state import EXPORTED_DOMAIN
from service.inference.background import Pieces
from service.inference.sessions import SessionBuilder
from service.ledger.changes import VersionProposed, VersionPublished, VersionRejected
from service.ledger.ledger import Ledger
from service.ledger.records import Receipt, Version, VersionRecord
from service.monitoring.reporting import TargetReport
from service.monitoring.tracing import tracing
from service.settings import Settings
from service.targets.making.candidate import Candidate, CandidateMaker
from service.targets.making.judging import Judge
from service.targets.making.watching import Watch
from service.targets.queries import Queries
from service.targets.recorder import Recorder
from service.targets.served import ServedVersions

logger = logging.getLogger(__name__)

# Makes a receipt of the record of a version, and of the number of images that are pending afterwards.
ReceiptOf = Callable[[VersionRecord, int], Receipt | None]

# A new domain gets its first versions after few images, then after twice as many.
FIRST_IMAGES = 8
# An old one changes little with every batch, and every version costs its scores.
LONGEST = 8
GROWTH = 8
# Pending images that no version wanted, in units of those of a version, before they are given up.
PATIENCE = 4


class Publisher:
    """Makes versions of a target.

    Args:
        recorder: record of the target.
        queries: reads versions.
        served: sessions of the target.
        estimator: what is remembered of the domain.
        judge: the guards.
        watch: begins to watch what is published.
        builder: builder of sessions.
        ledger: ledger that numbers the versions.
        settings: counts.
        report: metrics of the target.
        background: runs what predictions come before.
    """

    def __init__(
        self,
        recorder: Recorder,
        queries: Queries,
        served: ServedVersions,
        estimator: MomentEstimator,
        judge: Judge,
        watch: Watch,
        builder: SessionBuilder,
        ledger: Ledger,
        settings: Settings,
        report: TargetReport,
        background: Pieces,
    ) -> None:
        self._recorder = recorder
        self._queries = queries
        self._served = served
        self._estimator = estimator
        self._watch = watch
        self._candidates = CandidateMaker(ledger, builder, judge, background)
        self._commit_every = settings.commit_every
        self._report = report
        # Pending images after a rejection: with no more of them, another version would fail as well.
        self._rejected_at = 0

    @property
    def due(self) -> bool:
        """True if enough images are pending for a new version."""
        pending = self._recorder.target.state.pending
        return pending >= max(self.needed, 2 * self._rejected_at)

    @property
    def needed(self) -> int:
        """Number of pending images that make a version."""
        folded = self._recorder.target.folded
        every = self._commit_every
        if folded.domain != EXPORTED_DOMAIN and folded.count - folded.pending < every:
            return min(every, max(FIRST_IMAGES, int(folded.count - folded.pending)))
        return int(min(LONGEST * every, max(every, folded.count / GROWTH)))

    def make_due_version(self, receipt_of: ReceiptOf = lambda *_: None) -> VersionRecord | None:
        """Make the pending images a version, if it is time, and do with it what the mode says.

        The images are durable already, so a failure here does not concern the batch that completed the
        version: it is logged, and the next batch tries again.

        Args:
            receipt_of: makes the receipt that is recorded together with the version.

        Returns:
            The record of the version; None if it was not time, or it could not be made or recorded.
        """
        target = self._recorder.target
        if not self.due or target.mode == "off":
            return None
        try:
            with self._report.version_seconds.time(), tracing.span("commit"):
                parent = self._queries.version(target.serving)
                session = self._served.served
                memory = self._estimator.memory
                candidate = self._candidates.make(target, session, parent, memory)
                version = self._settle(candidate, parent, receipt_of)
        except Exception:
            logger.exception(
                "target %s: no version was made; the next batch tries again", target.name
            )
            self._report.count_version("failed")
            return None
        self._report.count_version(version.record.status)
        return version.record

    def _settle(self, candidate: Candidate, parent: Version, receipt_of: ReceiptOf) -> Version:
        """Record a candidate, and serve it, keep it as the shadow, or neither."""
        version = candidate.version
        if candidate.rejected:
            return self._reject(version, receipt_of)
        self._rejected_at = 0
        if self._recorder.target.mode == "shadow" or candidate.only_proposed:
            proposed = _as_proposed(version, candidate.only_proposed)
            receipt = receipt_of(proposed.record, 0)
            self._recorder.append(VersionProposed(proposed, receipt, candidate.left_out))
            self._served.shadow = candidate.session
            return proposed
        evidence = self._watch.begin(self._served.served, candidate.scores)
        receipt = receipt_of(version.record, 0)
        self._recorder.append(VersionPublished(version, receipt, candidate.left_out, evidence))
        self._served.serve(candidate.session)
        # A rollback may need it when the ledger cannot be read.
        self._queries.version(version.number)
        return version

    def _reject(self, version: Version, receipt_of: ReceiptOf) -> Version:
        """Record a rejection; images that no version wants for long are given up."""
        target = self._recorder.target
        alone = len(target.batches) < 2 and target.folded.domain == EXPORTED_DOMAIN
        given_up = target.state.pending >= PATIENCE * self._commit_every
        keys = [batch.key for batch in target.batches] if alone or given_up else []
        pending = target.state_of([b for b in target.batches if b.key not in set(keys)]).pending
        receipt = receipt_of(version.record, pending)
        self._recorder.append(VersionRejected(version, keys, receipt))
        self._rejected_at = self._recorder.target.state.pending
        if keys:
            self._rejected_at = 0
            self._estimator.restore(self._recorder.target.memory)
        return version


def _as_proposed(version: Version, reason: str | None) -> Version:
    return replace(version, record=replace(version.record, status="proposed", reason=reason))
