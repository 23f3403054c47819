"""Choosing among trained candidates without a single target label."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from bundle.scores import Scores, label_free_scores


@dataclass(frozen=True)
class Candidate:
    """All that the choice among candidates may see.

    Attributes:
        scores: of the predictions on unlabeled target images.
        source_accuracy: on labelled source images that training has not seen.
    """

    scores: Scores
    source_accuracy: float


def score_predictions(probability: Tensor) -> Scores:
    """Label-free scores, each from 0 to 1, of target predictions ``(N, K)``."""
    return label_free_scores(probability.detach().double().cpu().numpy())


def mean_score(scores: Scores) -> float:
    """The one number by which candidates are compared, from 0 to 1."""
    return (scores.information + scores.nuclear_norm) / 2


def choose(candidates: Mapping[str, Candidate], *, tolerance: float = 0.02) -> str:
    """The name of the candidate with the best label-free scores among those still good on the source.

    Certain and diverse predictions can be wrong ones, so a candidate must not have paid for them with
    what it knew: its source accuracy may be at most ``tolerance`` below the best candidate's. Of
    equals, the first wins.

    Raises:
        ValueError: if there is no candidate.
    """
    if not candidates:
        raise ValueError("there is no candidate to choose from")
    floor = max(candidate.source_accuracy for candidate in candidates.values()) - tolerance
    allowed = {
        name: mean_score(candidate.scores)
        for name, candidate in candidates.items()
        if candidate.source_accuracy >= floor
    }
    return max(allowed, key=lambda name: allowed[name])
