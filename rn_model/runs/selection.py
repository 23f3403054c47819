"""Selects among trained models without target labels, or by a few labelled target images."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from bundle.scores import Scores, label_free_scores
from rn_model.runs.proportion import Proportion


@dataclass(frozen=True)
class Candidate:
    """The measurements of a model that selection is allowed to use.

    Attributes:
        scores: label-free scores of the predictions on target images.
        source_accuracy: accuracy on labelled source images that were not trained on, 0 to 1.
        probe: accuracy on a few labelled target images that were set aside for the selection; None
            without any.
    """

    scores: Scores
    source_accuracy: float
    probe: Proportion | None = None


def score_predictions(probability: Tensor) -> Scores:
    """Label-free scores, 0 to 1, of predicted probabilities ``(N, K)`` of target images."""
    return label_free_scores(probability.detach().double().cpu().numpy())


def mean_score(scores: Scores) -> float:
    """The mean of the label-free scores, by which candidates are compared, 0 to 1."""
    return (scores.information + scores.nuclear_norm) / 2


def choose(candidates: Mapping[str, Candidate], *, tolerance: float = 0.02) -> str:
    """Choose the candidate with the best label-free scores among those still accurate on the source.

    Predictions can be certain and diverse, and wrong. A candidate is therefore only eligible if its
    source accuracy is at most ``tolerance`` below that of the most accurate candidate. If all candidates
    have been measured on labelled target images (a probe), the most accurate one there wins instead, and
    the scores decide between equals. The first of equally good candidates wins.

    Args:
        candidates: measurements of each candidate, by name.
        tolerance: largest acceptable loss of source accuracy.

    Returns:
        The name of the chosen candidate.

    Raises:
        ValueError: if there are no candidates.
    """
    if not candidates:
        raise ValueError("there are no candidates to choose from")
    floor = max(candidate.source_accuracy for candidate in candidates.values()) - tolerance
    probed = all(candidate.probe is not None for candidate in candidates.values())

    def rank(name: str) -> tuple[float, ...]:
        candidate = candidates[name]
        label_free = candidate.source_accuracy >= floor, mean_score(candidate.scores)
        if probed and candidate.probe is not None:
            return candidate.probe.share, *label_free
        return label_free

    return max(candidates, key=rank)
