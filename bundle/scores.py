"""Label-free scores of a set of predictions."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Scores(NamedTuple):
    """Label-free scores of predictions, each between 0 and 1; higher is better.

    Attributes:
        information: mutual information between image and predicted class, as a share of its maximum:
            entropy of the mean prediction minus mean entropy of the predictions (Bridle et al.,
            "Unsupervised classifiers, mutual information and phantom targets", 1991).
        nuclear_norm: nuclear norm of the matrix of predictions, as a share of its maximum (Cui et al.,
            arXiv:2003.12237); high if predictions are both certain and diverse.
    """

    information: float
    nuclear_norm: float


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities ``(N, K)`` from logits ``(N, K)``."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponential = np.exp(shifted)
    probabilities: NDArray[np.float64] = exponential / exponential.sum(axis=1, keepdims=True)
    return probabilities


def label_free_scores(probabilities: NDArray[np.float64]) -> Scores:
    """Scores of probabilities ``(N, K)`` whose rows sum to 1.

    Raises:
        ValueError: if there are no images, or fewer than two classes.

    Example:
        >>> certain_and_diverse = label_free_scores(np.eye(3))
        >>> [round(score, 3) for score in certain_and_diverse]
        [1.0, 1.0]
        >>> uniform = label_free_scores(np.full((3, 3), 1 / 3))
        >>> [round(score, 3) for score in uniform]
        [0.0, 0.333]
    """
    images, classes = probabilities.shape
    if images < 1 or classes < 2:
        raise ValueError(f"cannot score predictions of shape {probabilities.shape}")
    diversity = _entropy(probabilities.mean(axis=0))
    uncertainty = float(np.mean([_entropy(row) for row in probabilities]))
    singular = np.linalg.svd(probabilities, compute_uv=False)
    information = (diversity - uncertainty) / np.log(classes)
    nuclear_norm = singular.sum() / np.sqrt(images * min(images, classes))
    # Rounding can move them slightly out of their range.
    return Scores(*(float(np.clip(score, 0.0, 1.0)) for score in (information, nuclear_norm)))


def _entropy(distribution: NDArray[np.float64]) -> float:
    positive = distribution[distribution > 0]
    return float(-(positive * np.log(positive)).sum())
