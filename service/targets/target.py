"""Online adaptation of one target: admit, observe, merge, make a candidate, publish it.

Every method that changes the target runs in one worker thread, one after another. Predictions read one
reference and never wait for it.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from service.adaptation.estimator import MomentEstimator
from service.errors import AdaptationFrozen
from service.guards.publication import PublicationOptions
from service.inference.background import AT_ONCE, Pieces
from service.inference.sessions import Session, SessionBuilder
from service.inference.tuning import UNMEASURED, Plan
from service.ledger.changes import BatchMerged, Frozen, Unfrozen, VersionPublished, VersionRejected
from service.ledger.ledger import Ledger
from service.ledger.records import Receipt, Target, Version, VersionRecord
from service.monitoring.reporting import TargetReport
from service.monitoring.tracing import tracing
from service.settings import Settings
from service.targets.candidate import Candidate, CandidateMaker
from service.targets.idempotency import Idempotency, replay
from service.targets.moves import LabelMover
from service.targets.outcome import AdaptOutcome
from service.targets.queries import Queries
from service.targets.recorder import Recorder
from service.targets.served import ServedVersions
from service.targets.statistics import Statistics

logger = logging.getLogger(__name__)

ReceiptOf = Callable[[VersionRecord], Receipt | None]


class OnlineTarget:
    """The online state of a target, and the only writer of its record.

    Args:
        name: name of the target.
        bundle: the bundle whose statistics are version 0.
        ledger: ledger of everything durable.
        settings: thresholds, counts and device.
        report: metrics and log of the target.
        plan: how images are run.
        background: runs what predictions come before.

    Attributes:
        name: name of the target.
        served: sessions of the served version and of others.
        queries: versions and events of the target.
        statistics: what it answered since its model was loaded.
    """

    def __init__(
        self,
        name: str,
        bundle: Bundle,
        ledger: Ledger,
        settings: Settings,
        report: TargetReport,
        plan: Plan = UNMEASURED,
        background: Pieces = AT_ONCE,
    ) -> None:
        self.name = name
        self.statistics = Statistics()
        self._ledger = ledger
        self._commit_every = settings.commit_every
        self._report = report
        self._builder = SessionBuilder(bundle, settings, plan.threads)
        self._estimator = MomentEstimator(name, bundle, settings, background)
        # Functions, not methods of this object: it would hold itself, and be freed late.
        open_target = partial(_open_target, ledger, name, bundle.fingerprint, self._estimator)
        self._recorder = Recorder(ledger, open_target, self._report)
        self.queries = Queries(ledger, self._recorder)
        build = partial(_build, self._builder, self.queries)
        self.served = served = ServedVersions(build(self.record.serving), build, plan)
        _show(served, build, self.record)
        self._recorder.on_conflict = lambda target: _show(served, build, target)
        options = PublicationOptions(settings.publication_margin, settings.publication_max_shift)
        self._candidates = CandidateMaker(
            ledger, self._builder, self.served, options, settings.reservoir, background
        )
        self._mover = LabelMover(
            self._recorder, self.queries, self.served, self._estimator, self._candidates
        )
        self._recorder.report()
        if self._due and not self.record.frozen:
            self._make_version()

    @property
    def record(self) -> Target:
        """The target as it was recorded last."""
        return self._recorder.target

    @property
    def provider(self) -> str:
        """The execution provider that is really used."""
        return self._builder.provider

    def adapt(
        self, images: Sequence[Pixels], idempotency: Idempotency | None = None
    ) -> AdaptOutcome:
        """Let a batch move the statistics; when this returns, what was admitted is durable.

        Args:
            images: one image or more, each ``(H, W, C)`` uint8.
            idempotency: under a key that was used before, the outcome of then is returned again.

        Raises:
            AdaptationFrozen: if adaptation is switched off.
            ConcurrentChange: if another process changed the target.
            KeyReused: if the key was used for another request.
            LedgerError: if it cannot be recorded; nothing has changed then.
        """
        replayed = None if idempotency is None else replay(self._ledger, self.record, idempotency)
        if replayed is not None:
            return replayed
        if self.record.frozen:
            raise AdaptationFrozen("adaptation is frozen; POST /unfreeze to resume")
        with tracing.span("adapt"):
            outcome = self._merge(images, idempotency)
        if not self._due:
            return outcome

        def receipt_of(version: VersionRecord) -> Receipt | None:
            if idempotency is None:
                return None
            return idempotency.receipt(outcome.completing(version))

        version = self._make_version(receipt_of)
        return outcome if version is None else outcome.completing(version)

    def promote(self, number: int) -> Version:
        """Serve a version, and let adaptation continue from it.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
        """
        return self._mover.move(number, "promoted")

    def rollback(self, number: int | None) -> Version:
        """Serve an earlier version, by default the parent of the served one.

        Raises:
            NothingToRollBack: if the served version has no parent.
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
        """
        target = self._mover.parent_of_served() if number is None else number
        return self._mover.move(target, "rolled_back")

    def set_shadow(self, number: int | None) -> None:
        """Keep a version ready to run beside the served one; None for none.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
        """
        self._mover.set_shadow(number)

    def reset(self) -> Version:
        """Serve the exported version, and forget what was observed since."""
        return self._mover.move(0, "reset")

    def freeze(self, frozen: bool) -> None:
        """Switch adaptation off, or on again."""
        self._recorder.append(Frozen() if frozen else Unfrozen())

    def close(self) -> None:
        """Let go of the sessions; nothing may be asked of the target any more."""
        self._recorder.on_conflict = lambda _: None
        self.served.close()

    @property
    def _due(self) -> bool:
        """True if enough images are pending for a new version."""
        return self.record.state.pending >= self._commit_every

    def _merge(self, images: Sequence[Pixels], idempotency: Idempotency | None) -> AdaptOutcome:
        """Admit, observe, merge and record a batch."""
        record = self.record
        try:
            batch = self._estimator.merge_batch(images, record.state)
            outcome = AdaptOutcome.of_batch(batch, record.serving)
            receipt = None if idempotency is None else idempotency.receipt(outcome)
            self._recorder.append(BatchMerged(batch, receipt))
        except Exception:
            # What was remembered in memory must not run ahead of what is on disk.
            self._estimator.restore(self.record.admission)
            raise
        self._candidates.remember(batch.images)
        alarm = batch.alarm is not None
        self._report.count_batch(batch.admitted, len(batch.not_admitted), alarm=alarm)
        return outcome

    def _make_version(self, receipt_of: ReceiptOf = lambda _: None) -> VersionRecord | None:
        """Make the pending images a version, and serve it if the publication guard agrees.

        The images are durable already, so a failure here does not concern the batch that completed the
        version: it is logged, and the next batch tries again.

        Args:
            receipt_of: makes the receipt that is recorded together with the version.

        Returns:
            The record of the version; None if it could not be made or recorded.
        """
        try:
            with self._report.version_seconds.time(), tracing.span("commit"):
                served = self.queries.version(self.record.serving)
                candidate = self._candidates.make(self.record, served)
                self._settle(candidate, receipt_of(candidate.version.record))
        except Exception:
            logger.exception(
                "target %s: no version was made; the next batch tries again", self.name
            )
            self._report.count_version("failed")
            return None
        record = candidate.version.record
        self._report.count_version(record.status)
        return record

    def _settle(self, candidate: Candidate, receipt: Receipt | None) -> None:
        """Record a candidate, and serve it unless it was rejected."""
        version, served = candidate.version, candidate.served
        if version.record.status == "published":
            self._recorder.append(VersionPublished(version, receipt))
            self.served.serve(candidate.session)
            return
        self._recorder.append(VersionRejected(version, served.state, served.admission, receipt))
        self._estimator.restore(served.admission)
        self._candidates.forget()


def _open_target(ledger: Ledger, name: str, bundle: str, estimator: MomentEstimator) -> Target:
    """Read the record of a target, and return to what it had admitted."""
    target = ledger.open_target(name, bundle, estimator.first_state, estimator.first_admission)
    estimator.restore(target.admission)
    return target


def _build(builder: SessionBuilder, queries: Queries, number: int) -> Session:
    """Build the session of a version."""
    return builder.build(number, queries.version(number).state.moments)


def _show(served: ServedVersions, build: Callable[[int], Session], record: Target) -> None:
    """Let the labels be where the record has them; versions are built first."""
    serving, shadow = record.serving, record.shadow
    if serving != served.served.version:
        served.serve(build(serving))
    served.shadow = None if shadow is None else served.find(shadow) or build(shadow)
