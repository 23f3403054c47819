"""Guard B: a label-free score in which rare classes count as much as frequent ones.

The nuclear norm of the predictions (Cui et al., arXiv:2003.12237) is high where they are certain and
diverse. On images whose class shares are far apart it rewards a version that predicts the frequent class
more often. Here image ``i`` has the weight ``w_i = min((1/K) / f(c_i), 5)``, where ``c_i`` is its predicted
class, ``f`` that version's class frequencies and ``K`` the number of classes, and with
``G = sum_i w_i p_i p_i' / sum_i w_i`` the score is ``tr(G^(1/2)) / sqrt(K)``.

Assumption: a version that harms makes the predictions less certain or less diverse. No label-free score
sees every harm; confident and balanced errors pass.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
MAX_WEIGHT = 5.0


def class_weights(probabilities: Probabilities) -> NDArray[np.float64]:
    """Weights ``(N,)`` of images under which the predicted classes count alike.

    Args:
        probabilities: ``(N, K)``.
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    frequency = np.bincount(predicted, minlength=classes) / len(predicted)
    weights: NDArray[np.float64] = np.minimum(1 / (classes * frequency[predicted]), MAX_WEIGHT)
    return weights


def balanced_score(probabilities: Probabilities, weights: NDArray[np.float64]) -> float:
    """Class-balanced nuclear norm, between 0 and 1; higher is better.

    Args:
        probabilities: ``(N, K)``, N at least 1.
        weights: weights of the images, ``(N,)``, not all 0.

    Example:
        >>> round(balanced_score(np.eye(4), np.ones(4)), 6)
        1.0
        >>> round(balanced_score(np.full((4, 4), 0.25), np.ones(4)), 6)
        0.25
    """
    gram = (probabilities * weights[:, None]).T @ probabilities / weights.sum()
    eigenvalues = np.clip(np.linalg.eigvalsh(gram), 0, None)
    return float(np.sqrt(eigenvalues).sum() / np.sqrt(probabilities.shape[1]))


@dataclass(frozen=True)
class Comparison:
    """Scores of two versions on the same images.

    Attributes:
        served, candidate: mean of the score under both versions' weights.
    """

    served: float
    candidate: float

    @property
    def drop(self) -> float:
        """By how much the candidate is worse; negative if it is better."""
        return self.served - self.candidate

    def reason(self, margin: float) -> str | None:
        """Why a candidate is refused that may be worse by a margin; None if it is not."""
        if self.drop <= margin:
            return None
        return (
            f"the class-balanced score fell from {self.served:.3f} to {self.candidate:.3f},"
            f" by more than {margin:.3f}"
        )


def compare(served: Probabilities, candidate: Probabilities) -> Comparison:
    """Compare two versions on the same images, each weighted as either of them sees the classes.

    Args:
        served, candidate: probabilities ``(N, K)`` of the same images, N at least 1.
    """
    views = [class_weights(served), class_weights(candidate)]
    old, new = (
        float(np.mean([balanced_score(each, weights) for weights in views]))
        for each in (served, candidate)
    )
    return Comparison(old, new)
