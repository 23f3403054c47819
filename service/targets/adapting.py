"""What a request to adapt does to a target: its images are judged, merged and recorded."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from bundle.scores import softmax
from service.adaptation.archive import Archive
from service.adaptation.estimator import MomentEstimator, Occasion
from service.adaptation.outcome import BatchOutcome
from service.adaptation.state import EXPORTED_DOMAIN
from service.errors import ConcurrentChange
from service.guards.probation import Probation
from service.ledger.change import Actor
from service.ledger.changes import BatchMerged, DomainEntered
from service.ledger.moves import Frozen
from service.ledger.records import Batch, Domain, Receipt, VersionRecord, now
from service.monitoring.reporting import TargetReport
from service.monitoring.tracing import tracing
from service.settings import Settings
from service.targets.domains import close_domain, earlier_domains, next_number
from service.targets.idempotency import Idempotency
from service.targets.making.judging import Judge
from service.targets.making.moves import LabelMover
from service.targets.making.publishing import Publisher
from service.targets.making.watching import Watch, passed
from service.targets.outcome import AdaptOutcome
from service.targets.queries import Queries
from service.targets.recorder import Recorder
from service.targets.served import ServedVersions

GUARD = "guard"
# Versions in a row that are rolled back before adaptation stops.
MAX_STRIKES = 3


class Adapting:
    """Takes batches of unlabelled images.

    Args:
        recorder: record of the target.
        queries: reads versions.
        served: sessions of the target.
        estimator: judges and merges images.
        judge: keeps the images on which versions are judged.
        watch: collects evidence about the served version.
        mover: rolls versions back.
        publisher: makes versions.
        settings: counts.
        report: metrics of the target.
    """

    def __init__(
        self,
        recorder: Recorder,
        queries: Queries,
        served: ServedVersions,
        estimator: MomentEstimator,
        judge: Judge,
        watch: Watch,
        mover: LabelMover,
        publisher: Publisher,
        settings: Settings,
        report: TargetReport,
    ) -> None:
        self._recorder = recorder
        self._queries = queries
        self._served = served
        self._estimator = estimator
        self._judge = judge
        self._watch = watch
        self._mover = mover
        self._publisher = publisher
        self._max_domains = settings.max_domains
        self._report = report

    def try_batch(
        self, images: Sequence[Pixels], client: str | None, predict: bool = False
    ) -> AdaptOutcome:
        """What would become of a batch; nothing is recorded, and nothing remembered."""
        outcome, batch = self._try(lambda: self._estimate(images, client, predict))
        return self._predicted(outcome, batch, images) if predict else outcome

    def try_archive(self, archive: Archive, client: str | None) -> AdaptOutcome:
        """What would become of an archive; nothing is recorded, and nothing remembered."""
        return self._try(lambda: self._estimate_archive(archive, client))[0]

    def _try(self, estimate: Callable[[], BatchOutcome]) -> tuple[AdaptOutcome, BatchOutcome]:
        restore = self._estimator.snapshot()
        try:
            batch = estimate()
        finally:
            restore()
        return AdaptOutcome.of_batch(batch, self._recorder.target.serving), batch

    def _predicted(
        self, outcome: AdaptOutcome, batch: BatchOutcome, images: Sequence[Pixels]
    ) -> AdaptOutcome:
        """The outcome with predictions of the batch."""
        stays = batch.left is None and batch.state.domain == EXPORTED_DOMAIN
        found, start = list[NDArray[np.float64]](), 0
        for number, logits in batch.logits:
            part = images[start : start + number]
            start += number
            if logits is not None and not stays:
                found.append(softmax(logits))
                continue
            served = self._judge.scorer.predict(self._served.served, part)
            if logits is None or self._judge.as_sure_as_ever(served):
                found.append(served)
            else:
                found.append(softmax(logits))
        return replace(outcome, probabilities=np.concatenate(found))

    def add_batch(
        self,
        images: Sequence[Pixels],
        idempotency: Idempotency | None,
        client: str | None,
        key: str,
        predict: bool = False,
    ) -> AdaptOutcome:
        """Judge, merge and record a batch, and do what follows from it.

        Args:
            images: the images.
            idempotency: the key under which repeats count once.
            client: name of the key of the client.
            key: name of the batch.
            predict: whether to predict the batch.
        """
        with tracing.span("adapt"):
            outcome, batch, failed = self._merge(
                lambda: self._estimate(images, client, predict), idempotency, client, key
            )
            if predict:
                outcome = self._predicted(outcome, batch, images)
        return self._follow_up(outcome, failed, idempotency)

    def add_archive(
        self, archive: Archive, idempotency: Idempotency | None, client: str | None, key: str
    ) -> AdaptOutcome:
        """Merge and record the moments of an archive, and do what follows from it.

        Args:
            archive: what was observed of its images.
            idempotency, client, key: see :meth:`add_batch`.
        """
        with tracing.span("adapt"):
            outcome, _, failed = self._merge(
                lambda: self._estimate_archive(archive, client), idempotency, client, key
            )
        return self._follow_up(outcome, failed, idempotency)

    def _follow_up(
        self, outcome: AdaptOutcome, failed: Probation | None, idempotency: Idempotency | None
    ) -> AdaptOutcome:
        """Roll the served version back if it failed, or else make a version if it is time."""
        if failed is not None:
            return self._roll_back(outcome, failed)

        def receipt_of(version: VersionRecord, pending: int) -> Receipt | None:
            if idempotency is None:
                return None
            return idempotency.receipt(outcome.completing(version, pending))

        version = self._publisher.make_due_version(receipt_of)
        if version is None:
            return outcome
        return outcome.completing(version, self._recorder.target.state.pending)

    def _estimate(
        self, images: Sequence[Pixels], client: str | None, predict: bool
    ) -> BatchOutcome:
        state = self._recorder.target.state
        return self._estimator.merge_batch(images, state, self._occasion(client), predict=predict)

    def _estimate_archive(self, archive: Archive, client: str | None) -> BatchOutcome:
        state = self._recorder.target.state
        return self._estimator.merge_archive(archive, state, self._occasion(client))

    def _occasion(self, client: str | None) -> Occasion:
        """The request that comes now."""
        record = self._recorder.target
        return Occasion(
            request=record.revision + 1,
            client=client,
            earlier=earlier_domains(record, self._max_domains),
            new_number=next_number(record),
        )

    def _merge(
        self,
        estimate: Callable[[], BatchOutcome],
        idempotency: Idempotency | None,
        client: str | None,
        key: str,
    ) -> tuple[AdaptOutcome, BatchOutcome, Probation | None]:
        """Record a batch; and the evidence against the served version, if that fails."""
        restore = self._estimator.snapshot()
        try:
            batch = estimate()
            if batch.left is None:
                outcome, failed = self._stay(batch, key, idempotency, client)
            else:
                outcome, failed = self._enter(batch, key, idempotency), None
        except ConcurrentChange:
            raise
        except Exception:
            # What was remembered in memory must not run ahead of what is on disk.
            restore()
            raise
        self._judge.reservoir.add(batch.state.domain, batch.images)
        alarm = batch.alarm is not None
        self._report.count_batch(batch.admitted, len(batch.not_admitted), alarm=alarm)
        return outcome, batch, failed

    def _stay(
        self, batch: BatchOutcome, key: str, idempotency: Idempotency | None, client: str | None
    ) -> tuple[AdaptOutcome, Probation | None]:
        record = self._recorder.target
        outcome = AdaptOutcome.of_batch(batch, record.serving, key)
        served, before = self._served.served, record.state.count
        probation = self._watch.after(record.probation, served, batch.images, before)
        merged = None
        if batch.moments is not None:
            merged = Batch(
                key,
                batch.state.domain,
                client,
                batch.admitted,
                batch.weight,
                batch.moments,
                batch.memory,
            )
        receipt = None if idempotency is None else idempotency.receipt(outcome)
        evidence = None if probation is None or passed(probation) else probation.to_json()
        if evidence is None:
            self._watch.stop()
        self._recorder.append(BatchMerged(batch, merged, receipt, evidence))
        return outcome, probation if probation is not None and probation.failed else None

    def _enter(
        self, batch: BatchOutcome, key: str, idempotency: Idempotency | None
    ) -> AdaptOutcome:
        """Go to another domain; one that was known is served as it was at its last version."""
        record = self._recorder.target
        assert batch.left is not None
        known = record.domain(batch.state.domain)
        serving, session = record.serving, None
        if known is not None and record.mode == "auto" and known.version != serving:
            serving = known.version
            session = self._served.get(serving)
        at = now()
        entered = Domain(
            batch.state.domain,
            None if known is None else known.name,
            known is not None and known.pinned,
            serving if known is None else known.version,
            batch.state,
            self._estimator.memory,
            at if known is None else known.created_at,
            at,
        )
        outcome = AdaptOutcome.of_batch(batch, serving, key)
        receipt = None if idempotency is None else idempotency.receipt(outcome)
        left = close_domain(record, batch.left)
        self._recorder.append(DomainEntered(batch, left, entered, serving, receipt))
        self._watch.stop()
        if session is not None:
            self._served.serve(session)
        return outcome

    def _roll_back(self, outcome: AdaptOutcome, failed: Probation) -> AdaptOutcome:
        """Serve the parent again; after several versions in a row, the exported one, and stop."""
        strikes = self._recorder.target.strikes + 1
        stop = strikes >= MAX_STRIKES
        number = 0 if stop else self._mover.parent_of_served()
        reason = failed.reason or ""
        self._mover.move(number, "rolled_back", Actor(GUARD, reason), strikes=strikes)
        self._report.count_version("rolled_back")
        if stop:
            why = f"{strikes} versions in a row were rolled back"
            self._recorder.append(Frozen(Actor(GUARD, why)))
        return outcome.rolled_back_to(number, reason)
