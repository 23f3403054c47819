"""Decides, without labels, whether a candidate version may replace the served one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.moments import FlatMoments
from bundle.scores import label_free_scores

# Scores of fewer images are too noisy to decide anything.
MIN_IMAGES = 32


@dataclass(frozen=True)
class PublicationOptions:
    """Bounds of the publication guard.

    Attributes:
        margin: how much worse than the served version a candidate may score.
        max_shift: largest mean shift of the target means, in standard deviations.
    """

    margin: float
    max_shift: float


@dataclass(frozen=True)
class Decision:
    """The verdict on a candidate.

    Attributes:
        scores: measured values by name.
        reason: why the candidate is rejected; None if it may be published.
    """

    scores: dict[str, float]
    reason: str | None


def decide(
    options: PublicationOptions,
    served: NDArray[np.float64],
    candidate: NDArray[np.float64],
    before: FlatMoments,
    after: FlatMoments,
) -> Decision:
    """Compare a candidate with the served version.

    Args:
        options: bounds.
        served: probabilities ``(N, K)`` of the served version on recent target images; with few or no
            images, only the moments are judged.
        candidate: probabilities ``(N, K)`` of the candidate on the same images.
        before: raw target moments of the served version.
        after: raw target moments of the candidate.
    """
    shift = mean_shift(before, after)
    scores = {"shift": shift, "images": float(len(candidate))}
    problem = after.problem()
    if problem is None and not np.isfinite(candidate).all():
        problem = "predictions are not finite"
    if problem is not None:
        return Decision({}, problem)
    if shift > options.max_shift:
        return Decision(
            scores,
            f"the means moved by {shift:.2f} sd, more than the allowed {options.max_shift:.2f}",
        )
    # Any finite candidate is better than a served version that is not finite.
    if len(candidate) < MIN_IMAGES or not np.isfinite(served).all():
        return Decision(scores, None)
    old, new = label_free_scores(served), label_free_scores(candidate)
    scores["agreement"] = float((served.argmax(axis=1) == candidate.argmax(axis=1)).mean())
    for name, was, now in zip(old._fields, old, new, strict=True):
        scores[f"{name}_served"], scores[name] = was, now
        if now < was - options.margin:
            return Decision(
                scores,
                f"{name} fell from {was:.3f} to {now:.3f}, by more than {options.margin:.3f}",
            )
    return Decision(scores, None)


def mean_shift(before: FlatMoments, after: FlatMoments) -> float:
    """Mean distance of the means over all channels, in standard deviations of ``before``."""
    deviation = np.sqrt(np.maximum(before.variance, 1e-12))
    return float(np.mean(np.abs(after.mean - before.mean) / deviation))
