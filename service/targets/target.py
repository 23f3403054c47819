"""Online adaptation of one target: admit, observe, merge, make a candidate, publish it, watch it.

Every method that changes the target runs in one worker thread, one after another. Predictions read one
reference and never wait for it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from service.adaptation.archive import Archive
from service.adaptation.estimator import MomentEstimator
from service.errors import AdaptationFrozen, LedgerError, MomentsDropped
from service.inference.background import AT_ONCE, Pieces
from service.inference.sessions import Session, SessionBuilder
from service.inference.tuning import UNMEASURED, Plan
from service.ledger.change import NOBODY, Actor
from service.ledger.ledger import Ledger
from service.ledger.moves import Frozen, ModeChanged, Unfrozen
from service.ledger.records import Target, Version
from service.monitoring.reporting import TargetReport
from service.settings import Settings
from service.targets.adapting import Adapting
from service.targets.domains import Domains
from service.targets.drift import DriftReport, report_drift
from service.targets.idempotency import Idempotency, replay
from service.targets.jobs import Jobs
from service.targets.making.evidence import EvidenceKeeper
from service.targets.making.image_folder import ImageFolder
from service.targets.making.judging import Judge
from service.targets.making.moves import LabelMover
from service.targets.making.publishing import Publisher
from service.targets.making.reservoir import Reservoir
from service.targets.making.watching import Watch
from service.targets.outcome import AdaptOutcome
from service.targets.queries import Queries
from service.targets.recorder import Recorder
from service.targets.served import ServedVersions
from service.targets.statistics import Statistics
from service.targets.traffic import Seen, Traffic
from service.vocabulary import Mode

# Enough to tell the folders of bundles apart.
FINGERPRINT_DIGITS = 16


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
        queries: versions, batches and events of the target.
        domains: domains of the target.
        evidence: labels that say which of two versions is better.
        statistics: what it answered since its model was loaded.
        traffic: what the last images of predictions look like.
        jobs: batches whose clients do not wait for the outcome.
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
        self.jobs = Jobs()
        self._ledger = ledger
        self._builder = SessionBuilder(bundle, settings, plan.threads)
        self._estimator = MomentEstimator(bundle, settings, background)
        self.traffic = Traffic(settings.watch_predictions, self._estimator.reader)
        # Functions, not methods of this object: it would hold itself, and be freed late.
        open_target = partial(
            _open_target, ledger, name, bundle.fingerprint, self._estimator, settings
        )
        self._recorder = Recorder(ledger, open_target, report)
        self.queries = Queries(ledger, self._recorder)
        self.domains = Domains(self._recorder)
        build = partial(_build, self._builder, self.queries)
        self.served = served = ServedVersions(build(self.record.serving), build, plan)
        _show(served, build, self.record)
        self._recorder.on_conflict = lambda target: _show(served, build, target)
        self._reservoir = _open_reservoir(name, bundle, settings)
        judge = Judge(
            bundle, settings, self._reservoir, lambda: served.find(0) or build(0), background
        )
        self._classes = judge.classes
        self._watch = Watch(settings.alpha, judge.scorer)
        self._mover = LabelMover(self._recorder, self.queries, served, self._estimator, self._watch)
        parts = (self._recorder, self.queries, served, self._estimator, judge, self._watch)
        self._publisher = Publisher(*parts, self._builder, ledger, settings, report, background)
        self._adapting = Adapting(*parts, self._mover, self._publisher, settings, report)
        self._bundle = bundle
        classes = bundle.manifest.classes
        self.evidence = EvidenceKeeper(
            self._recorder,
            ledger,
            self.queries,
            served,
            judge,
            self._mover,
            classes,
            settings.alpha,
        )
        self.queries.keep_known()
        self._recorder.report()
        self._report = report
        self._drift: tuple[Target, Seen, DriftReport] | None = None
        report.show(self._measure)
        if not self.record.frozen:
            self._publisher.make_due_version()

    @property
    def record(self) -> Target:
        """The target as it was recorded last."""
        return self._recorder.target

    @property
    def provider(self) -> str:
        """The execution provider that is really used."""
        return self._builder.provider

    def adapt(
        self,
        images: Sequence[Pixels],
        idempotency: Idempotency | None = None,
        client: str | None = None,
        *,
        dry_run: bool = False,
        predict: bool = False,
        name: str | None = None,
    ) -> AdaptOutcome:
        """Let a batch move the statistics; when this returns, what was admitted is durable.

        Args:
            images: one image or more, each ``(H, W, C)`` uint8.
            idempotency: under a key that was used before, the outcome of then is returned again.
            client: name of the key of the client.
            dry_run: whether only to say what would become of the batch; nothing is changed.
            predict: whether to predict the batch with the network adapted to it.
            name: name of the batch; by default a new one.

        Raises:
            AdaptationFrozen: if adaptation is switched off.
            ConcurrentChange: if another process changed the target.
            KeyReused: if the key was used for another request.
            LedgerError: if it cannot be recorded; nothing has changed then.
        """
        with self._recorder.writing():
            replayed = self._replayed(idempotency)
            if replayed is not None:
                return replayed
            if dry_run:
                return replace(self._adapting.try_batch(images, client, predict), dry_run=True)
            batch = name or uuid4().hex
            return self._adapting.add_batch(images, idempotency, client, batch, predict)

    def adapt_to_archive(
        self,
        archive: Archive,
        idempotency: Idempotency | None = None,
        client: str | None = None,
        *,
        dry_run: bool = False,
    ) -> AdaptOutcome:
        """Let the moments of an archive of images that stays elsewhere move the statistics.

        Args:
            archive: what was observed of its images.
            idempotency, client, dry_run: see :meth:`adapt`, also for what is raised.
        """
        with self._recorder.writing():
            replayed = self._replayed(idempotency)
            if replayed is not None:
                return replayed
            if dry_run:
                return replace(self._adapting.try_archive(archive, client), dry_run=True)
            return self._adapting.add_archive(archive, idempotency, client, uuid4().hex)

    def _replayed(self, idempotency: Idempotency | None) -> AdaptOutcome | None:
        """The outcome that was given under a key before; None if there is none, and adaptation is on.

        Raises:
            AdaptationFrozen: if it is off.
            KeyReused: if the key was used for another request.
        """
        replayed = None if idempotency is None else replay(self._ledger, self.record, idempotency)
        if replayed is not None:
            return replayed
        if self.record.frozen:
            raise AdaptationFrozen("adaptation is frozen; POST /unfreeze to resume")
        if self.record.mode == "off":
            raise AdaptationFrozen("adaptation is off; PUT /mode with shadow or auto to begin")
        return None

    def promote(self, number: int, actor: Actor = NOBODY, *, force: bool = False) -> Version:
        """Serve a version, and let adaptation continue from it.

        Args:
            number: number of the version.
            actor: who promotes it, and why.
            force: whether a rejected version may be served; the reason is recorded.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
            RejectedVersion: if a guard rejected it, and it is not forced with a reason.
        """
        with self._recorder.writing():
            return self._mover.move(number, "promoted", actor, force=force)

    def rollback(self, number: int | None, actor: Actor = NOBODY) -> Version:
        """Serve an earlier version, by default the parent of the served one.

        Raises:
            NothingToRollBack: if the served version has no parent.
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
            RejectedVersion: if a guard rejected it.
        """
        return self._mover.go_back(number, "rolled_back", actor)

    def set_shadow(self, number: int | None, actor: Actor = NOBODY) -> None:
        """Keep a version ready to run beside the served one; None for none.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if only its record is kept.
        """
        with self._recorder.writing():
            self._mover.set_shadow(number, actor)

    def reset(self, actor: Actor = NOBODY) -> Version:
        """Serve the exported version, and forget what was observed since."""
        return self._mover.go_back(0, "reset", actor)

    def freeze(self, frozen: bool, actor: Actor = NOBODY) -> None:
        """Switch adaptation off, or on again. Switching it off works without the ledger, too."""
        if frozen:
            self._recorder.stop(Frozen(actor))
            return
        with self._recorder.writing():
            self._recorder.append(Unfrozen(actor))

    def set_mode(self, mode: Mode, actor: Actor = NOBODY) -> None:
        """Say what becomes of good versions."""
        with self._recorder.writing():
            if mode != self.record.mode:
                self._recorder.append(ModeChanged(mode, self.record.mode, actor))

    def follow(self) -> None:
        """Take over what another process changed, and write what is owed to the ledger.

        Raises:
            LedgerError: if the ledger cannot be used.
        """
        self._recorder.catch_up()

    @property
    def unwritten(self) -> int:
        """Number of emergency stops that hold, and that the ledger does not know yet."""
        return len(self._recorder.owed)

    def drift(self) -> DriftReport:
        """How far the last images are from those before, and the domain from other versions."""
        record, seen = self.record, self.traffic.last
        if self._drift is not None and self._drift[0] is record and self._drift[1] is seen:
            return self._drift[2]
        served = self.queries.version(record.serving).state.moments
        report = report_drift(record, self._bundle, served, seen, self._classes)
        self._drift = record, seen, report
        return report

    def _measure(self, name: str) -> float:
        """What the metrics show, see :meth:`TargetReport.show`."""
        if name == "unwritten":
            return self.unwritten
        try:
            report = self.drift()
        except (LedgerError, MomentsDropped):
            # The metrics are wanted just when something does not work.
            return math.nan
        found = {
            "held": report.held,
            "shift": report.shift,
            "recent": report.recent.z,
            "traffic": report.traffic.z,
        }[name]
        return math.nan if found is None else found

    def after_run(self, version: int, images: Pixels, probabilities: NDArray[np.float64]) -> None:
        """Count a run of the network, and describe some of its images.

        Args:
            version: number of the version that ran.
            images: its images ``(N, H, W, C)``.
            probabilities: their predictions ``(N, K)``.
        """
        self.statistics.count_run(version, probabilities)
        self.traffic.see(images, probabilities)

    def close(self) -> None:
        """Let go of the sessions; nothing may be asked of the target any more."""
        self._recorder.on_conflict = lambda _: None
        self._report.close()
        self.served.close()

    def forget(self) -> None:
        """Remove what is kept of the target outside of the ledger, after it was deleted."""
        self._report.forget()
        self._reservoir.forget()


def _open_target(
    ledger: Ledger, name: str, bundle: str, estimator: MomentEstimator, settings: Settings
) -> Target:
    """Read the record of a target, and return to what it had admitted."""
    first = estimator.first_state, estimator.first_memory
    target = ledger.open_target(name, bundle, *first, settings.adaptation)
    target = replace(target, max_count=settings.max_count)
    estimator.restore(target.memory)
    return target


def _open_reservoir(name: str, bundle: Bundle, settings: Settings) -> Reservoir:
    """The recent images of a target, with those on disk."""
    if settings.reservoir_folder is None or not settings.reservoir:
        return Reservoir(settings.reservoir)
    key = settings.reservoir_key
    secret = None if key is None else key.get_secret_value().encode()
    folder = settings.reservoir_folder / bundle.fingerprint[:FINGERPRINT_DIGITS] / name
    return Reservoir(settings.reservoir, ImageFolder(folder, secret))


def _build(builder: SessionBuilder, queries: Queries, number: int) -> Session:
    """Build the session of a version."""
    state = queries.version(number).state
    return builder.build(number, state.moments, state.count)


def _show(served: ServedVersions, build: Callable[[int], Session], record: Target) -> None:
    """Let the labels be where the record has them; versions are built first."""
    serving, shadow = record.serving, record.shadow
    if serving != served.served.version:
        served.serve(build(serving))
    served.shadow = None if shadow is None else served.find(shadow) or build(shadow)
