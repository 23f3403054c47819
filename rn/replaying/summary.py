"""Sums up a replay: by stretches of the stream in which the camera stayed the same."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rn.replaying.steps import Step


@dataclass(frozen=True)
class Stretch:
    """Batches in a row under the same change of the camera.

    Attributes:
        change: the change.
        start, stop: places of its images in the stream.
        accuracy: share of the labelled images that the served versions predicted rightly; None without
            labels.
        admitted: number of images that moved the statistics.
        first, last: version that predicted its first and its last batch.
        happened: number of events by kind.
    """

    change: str
    start: int
    stop: int
    accuracy: float | None
    admitted: int
    first: int
    last: int
    happened: dict[str, int]


def summarize(steps: Sequence[Step]) -> list[Stretch]:
    """The stretches of a replay, in order."""
    return [_stretch(list(group)) for _, group in groupby(steps, key=lambda step: step.change)]


def _stretch(steps: Sequence[Step]) -> Stretch:
    labelled = sum(step.labelled for step in steps)
    return Stretch(
        change=steps[0].change,
        start=steps[0].start,
        stop=steps[-1].stop,
        accuracy=sum(step.right for step in steps) / labelled if labelled else None,
        admitted=sum(step.outcome.admitted for step in steps if step.outcome is not None),
        first=steps[0].version,
        last=steps[-1].version,
        happened=dict(Counter(event.kind for step in steps for event in step.events)),
    )
