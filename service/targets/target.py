"""Online adaptation of one target: admit, observe, merge, commit, gate, publish.

Every method that changes the target runs in one worker thread, one after another. Predictions read one
reference and never wait for it.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from service.adaptation.intake import Intake, Taken
from service.adaptation.state import OnlineState
from service.api.problems import Conflict, NotFound, Unprocessable
from service.guards.publication import Decision, GateRules, decide
from service.inference.sessions import Model, ModelBuilder, Models
from service.ledger.ledger import Ledger, LedgerConflict
from service.ledger.records import Receipt, Target, Version, now
from service.monitoring.metrics import Metrics
from service.schemas import AdaptResult, VersionInfo
from service.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Idempotency:
    """The key that a client gave a request, and a hash by which the same request is known again."""

    key: str
    request: str


class OnlineTarget:
    """The online state of a target, and the only writer of its record.

    Args:
        name: of the target.
        bundle: what version 0 is.
        ledger: where everything durable is.
    """

    def __init__(
        self, name: str, bundle: Bundle, ledger: Ledger, settings: Settings, metrics: Metrics
    ) -> None:
        self.name = name
        self._bundle = bundle
        self._ledger = ledger
        self._settings = settings
        self._metrics = metrics
        self._builder = ModelBuilder(bundle, settings)
        self._intake = Intake(name, bundle, settings)
        self._reservoir: deque[Pixels] = deque(maxlen=settings.reservoir)
        self._target = self._open()
        self.models = Models(self._build(self._target.serving), self._build)
        self._report()
        if self._target.state.pending >= settings.commit_every and not self._target.frozen:
            self._commit()

    @property
    def record(self) -> Target:
        """The target as it was recorded last."""
        return self._target

    @property
    def provider(self) -> str:
        """The execution provider that is really used."""
        return self._builder.provider

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        return self._ledger.versions(self._target)

    def version(self, number: int) -> Version:
        """One version.

        Raises:
            NotFound: if there is no such version.
        """
        version = self._ledger.version(self._target, number)
        if version is None:
            raise NotFound(
                f"target {self.name!r} has no version {number}; GET /versions lists them"
            )
        return version

    def adapt(
        self, images: Sequence[Pixels], idempotency: Idempotency | None = None
    ) -> AdaptResult:
        """Let a batch move the statistics; when this returns, what was admitted is durable.

        Args:
            images: at least one.
            idempotency: under a key that was used before, the answer of then is given again.

        Raises:
            Conflict: if adaptation is frozen, or another process changed the target.
            Unprocessable: if the key was used for another request.
            LedgerError: if it cannot be recorded; then nothing has changed.
        """
        replayed = self._replay(idempotency)
        if replayed is not None:
            return replayed
        if self._target.frozen:
            raise Conflict("adaptation is frozen; POST /unfreeze allows it again")
        try:
            result = self._absorb(images, idempotency)
        except Exception:
            # What was remembered in memory must not run ahead of what is on disk.
            self._intake.restore(self._target.admission)
            raise
        if result.pending < self._settings.commit_every:
            return result
        version = self._commit(lambda made: _receipt(idempotency, _completed(result, made)))
        return result if version is None else _completed(result, version)

    def promote(self, number: int, event: str = "promote") -> Version:
        """Serve a version, and go on adapting from it; what came after it stays in the ledger.

        Idempotency keys are forgotten: what they stood for may not be in this state, and what is, is
        known as a duplicate.

        Raises:
            NotFound: if there is no such version.
        """
        version = self.version(number)
        model = self.models.get(number)
        self._write(
            event=event,
            detail={"from": self._target.serving, "to": number},
            serving=number,
            state=version.state,
            admission=version.admission,
            forget_receipts=True,
        )
        self._intake.restore(version.admission)
        self._reservoir.clear()
        self.models.serve(model)
        self._report()
        return version

    def rollback(self, number: int | None) -> Version:
        """Serve an earlier version, default the parent of the served one.

        Raises:
            Conflict: if the served version has no parent.
            NotFound: if there is no such version.
        """
        if number is None:
            number = self.version(self._target.serving).parent
            if number is None:
                raise Conflict("version 0 is served; there is nothing to go back to")
        return self.promote(number, event="rollback")

    def reset(self) -> Version:
        """Serve the exported version and forget what was observed since."""
        return self.promote(0, event="reset")

    def freeze(self, frozen: bool) -> None:
        """Switch adaptation off, or on again."""
        self._write(event="freeze" if frozen else "unfreeze", frozen=frozen)
        self._report()

    def _open(self) -> Target:
        intake = self._intake
        target = self._ledger.open_target(
            self.name, self._bundle.fingerprint, intake.first_state, intake.first_admission
        )
        intake.restore(target.admission)
        return target

    def _build(self, number: int) -> Model:
        return self._builder.build(number, self.version(number).state.moments)

    def _absorb(self, images: Sequence[Pixels], idempotency: Idempotency | None) -> AdaptResult:
        """Admit, observe, merge and record a batch."""
        taken = self._intake.take(images, self._target.state)
        result = self._result(len(images), taken)
        event = "new domain" if taken.new_domain else "alarm" if taken.alarm else None
        self._write(
            event=event,
            detail=result.model_dump(mode="json"),
            state=taken.state,
            admission=taken.admission,
            receipt=_receipt(idempotency, result),
        )
        self._reservoir.extend(taken.images)
        self._count_images(result)
        return result

    def _commit(
        self, receipt_of: Callable[[Version], Receipt | None] = lambda _: None
    ) -> Version | None:
        """Make the pending images a version, and serve it if the gate lets it pass.

        The images are durable already, so a failure here is none of the batch that completed the
        version: it is logged, and the next batch tries again.

        Args:
            receipt_of: what to record of that batch together with the version.

        Returns:
            The version; None if it could not be made or recorded.
        """
        try:
            with self._metrics.commit_seconds.time():
                version = self._make_version(receipt_of)
        except Exception:
            logger.exception(
                "target %s: no version was made; the next batch tries again", self.name
            )
            self._metrics.commits.labels(self.name, "failed").inc()
            return None
        self._metrics.commits.labels(self.name, version.status).inc()
        self._report()
        return version

    def _make_version(self, receipt_of: Callable[[Version], Receipt | None]) -> Version:
        state = self._target.state.committed()
        served = self.version(self._target.serving)
        number = self._ledger.next_number(self._target)
        model = self._builder.build(number, state.moments)
        decision = self._decide(model, served, state)
        version = Version(
            number=number,
            parent=served.number,
            status="rejected" if decision.reason else "published",
            reason=decision.reason,
            state=state,
            admission=self._target.admission,
            fingerprint=state.moments.fingerprint(),
            scores=decision.scores,
            created_at=now(),
        )
        receipt = receipt_of(version)
        if decision.reason:
            self._reject(version, served, receipt)
        else:
            self._write(
                event="publish", state=state, serving=number, version=version, receipt=receipt
            )
            self.models.serve(model)
        return version

    def _decide(self, model: Model, served: Version, state: OnlineState) -> Decision:
        images = np.array(self._reservoir)
        classes = len(self._bundle.manifest.classes)
        nothing = np.empty((0, classes))
        old = self.models.served.probabilities(images) if len(images) else nothing
        new = model.probabilities(images) if len(images) else nothing
        rules = GateRules(self._settings.gate_margin, self._settings.gate_max_shift)
        return decide(rules, old, new, served.state.moments, state.moments)

    def _reject(self, version: Version, served: Version, receipt: Receipt | None) -> None:
        logger.warning(
            "target %s: version %d rejected: %s", self.name, version.number, version.reason
        )
        self._write(
            event="reject",
            detail={"version": version.number, "reason": version.reason},
            state=served.state,
            admission=served.admission,
            version=version,
            receipt=receipt,
        )
        self._intake.restore(served.admission)
        self._reservoir.clear()

    def _write(self, **changes: Any) -> None:
        try:
            self._target = self._ledger.record(self._target, **changes)
        except LedgerConflict as error:
            self._target = self._open()
            self.models.serve(self._build(self._target.serving))
            self._report()
            raise Conflict(f"{error}; try again") from error

    def _replay(self, idempotency: Idempotency | None) -> AdaptResult | None:
        if idempotency is None:
            return None
        receipt = self._ledger.receipt(self._target, idempotency.key)
        if receipt is None:
            return None
        if receipt.request != idempotency.request:
            raise Unprocessable(
                "this Idempotency-Key was used for another request; choose a new one"
            )
        return AdaptResult.model_validate(receipt.response)

    def _result(self, received: int, taken: Taken) -> AdaptResult:
        return AdaptResult(
            target=self.name,
            received=received,
            admitted=len(taken.images),
            held=taken.held,
            refused=taken.refused,
            alarm=taken.alarm,
            new_domain=taken.new_domain,
            pending=taken.state.pending,
            serving=self._target.serving,
        )

    def _count_images(self, result: AdaptResult) -> None:
        adapted = self._metrics.adapted
        adapted.labels(self.name, "admitted").inc(result.admitted)
        adapted.labels(self.name, "refused").inc(len(result.refused))
        if result.alarm:
            self._metrics.alarms.labels(self.name).inc()
        self._metrics.pending.labels(self.name).set(result.pending)

    def _report(self) -> None:
        self._metrics.serving.labels(self.name).set(self._target.serving)
        self._metrics.pending.labels(self.name).set(self._target.state.pending)
        self._metrics.frozen.labels(self.name).set(self._target.frozen)


def version_info(version: Version) -> VersionInfo:
    """A version as the service describes it."""
    fields = {**vars(version), "count": version.state.count}
    return VersionInfo.model_validate(fields)


def _completed(result: AdaptResult, version: Version) -> AdaptResult:
    """The answer to the batch that completed a version."""
    serving = version.number if version.status == "published" else result.serving
    update = {"committed": version_info(version), "pending": 0, "serving": serving}
    return result.model_copy(update=update)


def _receipt(idempotency: Idempotency | None, result: AdaptResult) -> Receipt | None:
    if idempotency is None:
        return None
    return Receipt(idempotency.key, idempotency.request, result.model_dump(mode="json"))
