"""Runs a stream through the online engine, and records what it did at every batch."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.loaded import Bundle
from rn.replaying.stream import Stream
from service.errors import AdaptationFrozen
from service.ledger.ledger import Ledger
from service.ledger.records import Event, Page
from service.monitoring.metrics import Metrics
from service.monitoring.reporting import TargetReport
from service.settings import Settings
from service.targets.outcome import AdaptOutcome
from service.targets.target import OnlineTarget
from service.vocabulary import DEFAULT_TARGET

# More than one batch can cause.
_EVENTS = 1000


@dataclass(frozen=True)
class Step:
    """One batch of the stream.

    Attributes:
        start, stop: places of its images in the stream.
        change: change of the camera at its first image.
        version: version that predicted it, before it was posted to adapt to.
        labelled: number of its images whose label is known.
        right: number of these that were predicted rightly.
        shares: share of its predictions by class.
        outcome: what adaptation made of it; None while adaptation is frozen.
        events: what happened to the target meanwhile.
    """

    start: int
    stop: int
    change: str
    version: int
    labelled: int
    right: int
    shares: dict[str, float]
    outcome: AdaptOutcome | None
    events: Sequence[Event]

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "outcome": None if self.outcome is None else self.outcome.to_json()}


@contextmanager
def offline_target(bundle: Bundle, settings: Settings) -> Iterator[OnlineTarget]:
    """The online engine of a target without a service, with a ledger that is removed afterwards.

    Raises:
        LedgerError: if no ledger can be made.
    """
    with TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{Path(folder, 'ledger.sqlite')}")
        try:
            report = TargetReport(bundle.manifest.name, DEFAULT_TARGET, Metrics())
            target = OnlineTarget(DEFAULT_TARGET, bundle, ledger, settings, report)
            try:
                yield target
            finally:
                target.close()
        finally:
            ledger.close()


def replay(
    stream: Stream, target: OnlineTarget, classes: Sequence[str], batch_size: int
) -> Iterator[Step]:
    """Predict every batch with the version that is served, then let the target adapt to it.

    Args:
        stream: the stream.
        target: the engine.
        classes: names of the classes.
        batch_size: images per batch.

    Raises:
        ReplayError: if an image cannot be read.
    """
    last = _last_event(target)
    for start in range(0, len(stream), batch_size):
        stop = min(start + batch_size, len(stream))
        images = stream.read(start, stop)
        session = target.served.served
        predicted = session.probabilities(images).argmax(axis=1)
        outcome = _adapt(target, images)
        events = target.queries.events(Page(_EVENTS, after=last))
        last = events[-1].id if events else last
        labels = stream.labels_of(start, stop)
        yield Step(
            start=start,
            stop=stop,
            change=stream.change_at(start),
            version=session.version,
            labelled=sum(label is not None for label in labels),
            right=sum(
                classes[index] == label for index, label in zip(predicted, labels, strict=True)
            ),
            shares=_shares(predicted, classes),
            outcome=outcome,
            events=events,
        )


def _adapt(target: OnlineTarget, images: NDArray[np.uint8]) -> AdaptOutcome | None:
    try:
        return target.adapt(list(images))
    except AdaptationFrozen:
        return None


def _last_event(target: OnlineTarget) -> int:
    events = target.queries.events(Page(1))
    return events[-1].id if events else 0


def _shares(predicted: NDArray[np.integer[Any]], classes: Sequence[str]) -> dict[str, float]:
    counts = Counter(predicted.tolist())
    return {classes[index]: count / len(predicted) for index, count in sorted(counts.items())}
