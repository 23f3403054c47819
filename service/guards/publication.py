"""Decides, without labels, whether a candidate version may replace the served one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.moments import FlatMoments
from bundle.scores import label_free_scores

# Scores of fewer images say nothing.
MIN_IMAGES = 32


@dataclass(frozen=True)
class GateRules:
    """See the settings ``gate_margin`` and ``gate_max_shift``."""

    margin: float
    max_shift: float


@dataclass(frozen=True)
class Decision:
    """Whether a candidate passed.

    Attributes:
        scores: what was measured.
        reason: why it did not pass; None if it did.
    """

    scores: dict[str, float]
    reason: str | None


def decide(
    rules: GateRules,
    served: NDArray[np.float64],
    candidate: NDArray[np.float64],
    before: FlatMoments,
    after: FlatMoments,
) -> Decision:
    """Compare a candidate with the served version.

    Args:
        rules: margins.
        served, candidate: probabilities ``(N, K)`` of both on the same recent target images; N may
            be small or 0, then only the moments are judged.
        before, after: raw target moments of both.
    """
    shift = mean_shift(before, after)
    scores = {"shift": shift, "images": float(len(candidate))}
    problem = after.problem()
    if problem is None and not np.isfinite(candidate).all():
        problem = "predictions are not finite"
    if problem is not None:
        return Decision({}, problem)
    if shift > rules.max_shift:
        return Decision(
            scores,
            f"the means moved by {shift:.2f} sd, more than the allowed {rules.max_shift:.2f}",
        )
    # Whatever is finite is better than a served version that is not.
    if len(candidate) < MIN_IMAGES or not np.isfinite(served).all():
        return Decision(scores, None)
    old, new = label_free_scores(served), label_free_scores(candidate)
    scores["agreement"] = float((served.argmax(axis=1) == candidate.argmax(axis=1)).mean())
    for name, was, now in zip(old._fields, old, new, strict=True):
        scores[f"{name}_served"], scores[name] = was, now
        if now < was - rules.margin:
            return Decision(
                scores, f"{name} fell from {was:.3f} to {now:.3f}, by more than {rules.margin:.3f}"
            )
    return Decision(scores, None)


def mean_shift(before: FlatMoments, after: FlatMoments) -> float:
    """Mean distance of the means over all channels, in standard deviations of ``before``."""
    deviation = np.sqrt(np.maximum(before.variance, 1e-12))
    return float(np.mean(np.abs(after.mean - before.mean) / deviation))
