"""Selects among trained models without target labels, or by a few labelled target images."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bundle.scores import Scores, label_free_scores
from rn_model.runs.proportion import Proportion

TOLERANCE = 0.02


@dataclass(frozen=True)
class Candidate:
    """The measurements of a model that selection is allowed to use.

    Attributes:
        scores: label-free scores of the predictions on target images.
        source_accuracy: accuracy on labelled source images that were not trained on, 0 to 1.
        probe: accuracy on a few labelled target images that were set aside for the selection; None
            without any.
        agreement: share of target images on which the model agrees with all candidates together, see
            :func:`agreements`; None if they have not been compared.
    """

    scores: Scores
    source_accuracy: float
    probe: Proportion | None = None
    agreement: float | None = None


def score_predictions(probability: Tensor) -> Scores:
    """Label-free scores, 0 to 1, of predicted probabilities ``(N, K)`` of target images."""
    return label_free_scores(probability.detach().double().cpu().numpy())


def mean_score(scores: Scores) -> float:
    """The mean of the label-free scores, by which candidates are compared, 0 to 1."""
    return (scores.information + scores.nuclear_norm) / 2


def agreements(probabilities: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """How often each model predicts the class that all models together find most probable.

    Source: EnsV (Hu et al., "Towards Reliable Model Selection for Unsupervised Domain Adaptation",
    NeurIPS 2024). A model that is certain of wrong classes finds others there, unless all of them are
    wrong alike.

    Args:
        probabilities: predictions of each model for the same target images, ``(N, K)``.

    Returns:
        For each model, the share of images, 0 to 1, for which its most probable class is that of the
        mean of all predictions.

    Raises:
        ValueError: if the predictions differ in shape, or there are no images.

    Example:
        >>> agreements({"a": np.eye(2), "b": np.eye(2), "c": np.eye(2)[::-1]})
        {'a': 1.0, 'b': 1.0, 'c': 0.0}
    """
    shapes = {p.shape for p in probabilities.values()}
    if len(shapes) != 1 or 0 in next(iter(shapes)):
        raise ValueError("candidates can only be compared by predictions for the same images")
    mean = sum(np.asarray(p, dtype=np.float64) for p in probabilities.values())
    together = np.argmax(mean, axis=1)
    return {name: float((p.argmax(axis=1) == together).mean()) for name, p in probabilities.items()}


def trust(candidate: Candidate) -> float:
    """How much a candidate is trusted without labels: the number by which :func:`choose` ranks.

    The nuclear norm plus the agreement, so that neither certain predictions that no other model shares
    win, nor predictions that are shared and undecided. The mean score if there is no agreement.
    """
    if candidate.agreement is None:
        return mean_score(candidate.scores)
    return candidate.scores.nuclear_norm + candidate.agreement


def source_tolerance(accuracy: float, images: int | None) -> float:
    """How much source accuracy a candidate may lose: 2 points, and what chance explains.

    Without the second, a few hundred held-out images would decide by chance which candidates are
    eligible at all.

    Args:
        accuracy: accuracy on held-out source images that candidates are compared with, 0 to 1.
        images: number of these images; None if unknown.

    Returns:
        0.02, plus the standard error of the difference of two such accuracies.

    Example:
        >>> source_tolerance(0.9, None), round(source_tolerance(0.9, 300), 3)
        (0.02, 0.044)
    """
    return TOLERANCE + (sqrt(2 * accuracy * (1 - accuracy) / images) if images else 0.0)


def choose(candidates: Mapping[str, Candidate], *, tolerance: float = TOLERANCE) -> str:
    """Choose the most trusted candidate (:func:`trust`) among those still accurate on the source.

    Predictions can be certain and diverse, and wrong. A candidate is therefore only eligible if its
    source accuracy is at most ``tolerance`` below that of the most accurate candidate. If all candidates
    have been measured on labelled target images (a probe), the most accurate one there wins instead, and
    trust decides between equals. The first of equally good candidates wins.

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
        label_free = candidate.source_accuracy >= floor, trust(candidate)
        if probed and candidate.probe is not None:
            return candidate.probe.share, *label_free
        return label_free

    return max(candidates, key=rank)
