"""Guard D: how much accuracy can a version have lost at most?

Where two versions predict the same class, both are right or both are wrong. So the accuracy of the one is
below that of the other by at most the probability that they differ, whatever the labels and the shift. From
``d`` differences on ``n`` images, an upper confidence bound on that probability is a bound on the harm.

Source: Clopper and Pearson, "The use of confidence or fiducial limits" (1934): the exact bound solves
``P(Binomial(n, x) <= d) = alpha``. Assumption: the images are a random sample of those that will be
predicted, and the versions were not chosen on them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEPS = 60


@dataclass(frozen=True)
class Disagreement:
    """How often two versions predict different classes.

    Attributes:
        differing, images: number of images on which they differ, and of all.
        bound: upper confidence bound on the loss of accuracy.
        alpha: probability that the bound is too low.
    """

    differing: int
    images: int
    bound: float
    alpha: float

    @property
    def share(self) -> float:
        """Share of the images on which they differ; 0 without images."""
        return self.differing / self.images if self.images else 0.0


def disagreement(
    served: NDArray[np.float64], candidate: NDArray[np.float64], alpha: float
) -> Disagreement:
    """Compare predictions ``(N, K)`` of two versions on the same images."""
    images = len(served)
    differing = int((served.argmax(axis=1) != candidate.argmax(axis=1)).sum())
    return Disagreement(differing, images, upper_bound(differing, images, alpha), alpha)


def upper_bound(successes: int, trials: int, alpha: float) -> float:
    """Upper confidence bound of a probability, 0 to 1.

    Args:
        successes: number of times that something happened.
        trials: number of times that it could.
        alpha: probability that the bound is too low, above 0.

    Example:
        >>> [round(100 * upper_bound(d, 256, 0.01), 1) for d in (0, 2, 5)]
        [1.8, 3.2, 5.0]
    """
    if successes >= trials:
        return 1.0
    # Coefficients of the terms by their logarithms: factorials of 256 overflow.
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])
    k = np.arange(successes + 1)
    choose = log_factorial[trials] - log_factorial[k] - log_factorial[trials - k]
    low, high = successes / trials, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        with np.errstate(divide="ignore"):
            terms = choose + k * np.log(middle) + (trials - k) * np.log1p(-middle)
        low, high = (middle, high) if np.exp(terms).sum() > alpha else (low, middle)
    return high
