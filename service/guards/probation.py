"""Guard C: after publication, is the new version worse than its parent?

Both versions predict the images that arrive. Each image gives a score of each version,
``s(p) = (tr G^(1/2) + p' G^(-1/2) p) / (2 sqrt K)``, the tangent of the nuclear norm at ``G``, the mean of
``p p'`` over images that the version predicted before publication; clipped to [0, 1]. With the difference
``d = s_parent - s_new`` and a tolerance ``eps``,

    E = mean over lambda of prod_i (1 + lambda / (1 + eps) (d_i - eps))

is a nonnegative supermartingale if the new version is worse by no more than ``eps`` on average, so by
Ville's inequality it ever reaches ``1 / alpha`` with a probability of at most ``alpha``, however often one
looks. Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
arXiv:2010.09686; Ville, "Étude critique de la notion de collectif" (1939).

Assumption: given the images before it, the expected difference on an image is at most ``eps`` while the
version is harmless *in this score*. Label shift, and harm that leaves predictions certain and diverse, are
not seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
BETS = (0.03, 0.08, 0.2, 0.4, 0.7, 0.95)
TOLERANCE = 0.02
# Directions in which a version never predicted anything would count without bound.
MIN_EIGENVALUE = 1e-3


@dataclass(frozen=True)
class ImageScore:
    """Scores single images by what a version predicted before.

    Attributes:
        constant: ``tr G^(1/2)``.
        inverse: ``G^(-1/2)``, ``(K, K)``.
    """

    constant: float
    inverse: NDArray[np.float64]

    @classmethod
    def of(cls, probabilities: Probabilities) -> "ImageScore":
        """The score that predictions ``(N, K)`` of a version, N at least 1, make."""
        gram = probabilities.T @ probabilities / len(probabilities)
        values, vectors = np.linalg.eigh(gram)
        roots = np.sqrt(np.clip(values, MIN_EIGENVALUE**2, None))
        return cls(float(roots.sum()), (vectors / roots) @ vectors.T)

    def __call__(self, probabilities: Probabilities) -> NDArray[np.float64]:
        """Scores ``(N,)`` of predictions ``(N, K)``, each between 0 and 1."""
        quadratic = np.einsum("nk,kl,nl->n", probabilities, self.inverse, probabilities)
        scores = (self.constant + quadratic) / (2 * np.sqrt(probabilities.shape[1]))
        clipped: NDArray[np.float64] = np.clip(np.nan_to_num(scores), 0.0, 1.0)
        return clipped


@dataclass(frozen=True)
class Probation:
    """Evidence that a version is worse than its parent; immutable.

    Attributes:
        alpha: largest allowed probability of ever rolling a harmless version back.
        tolerance: difference of the mean score that does not count as harm.
        log_wealth: logarithm of the product for each of ``BETS``.
        images: number of images seen.
        largest: logarithm of the largest evidence so far.
    """

    alpha: float
    tolerance: float = TOLERANCE
    log_wealth: tuple[float, ...] = (0.0,) * len(BETS)
    images: int = 0
    largest: float = 0.0

    def after(self, differences: Sequence[float] | NDArray[np.float64]) -> "Probation":
        """The evidence after more images.

        Args:
            differences: score of the parent minus that of the new version on each, -1 to 1, in order.
        """
        bets = np.array(BETS)[:, None] / (1 + self.tolerance)
        factors = 1 + bets * (np.asarray(differences, np.float64)[None, :] - self.tolerance)
        steps = np.cumsum(np.log(factors), axis=1) + np.array(self.log_wealth)[:, None]
        if not steps.shape[1]:
            return self
        evidence = _log_mean(steps)
        return Probation(
            self.alpha,
            self.tolerance,
            tuple(float(value) for value in steps[:, -1]),
            self.images + steps.shape[1],
            max(self.largest, float(evidence.max())),
        )

    @property
    def failed(self) -> bool:
        """Whether the evidence ever reached ``1 / alpha``."""
        return self.largest >= -math.log(self.alpha)

    @property
    def reason(self) -> str | None:
        """Why the version is rolled back; None if it is not."""
        if not self.failed:
            return None
        return (
            f"on {self.images} images its score is lower than its parent's; a harmless version"
            f" gives such evidence with a probability of at most {self.alpha:g}"
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values; the inverse of :meth:`from_json`."""
        return {
            "alpha": self.alpha,
            "tolerance": self.tolerance,
            "log_wealth": list(self.log_wealth),
            "images": self.images,
            "largest": self.largest,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Probation":
        """Read what :meth:`to_json` wrote."""
        return cls(**{**values, "log_wealth": tuple(values["log_wealth"])})


def _log_mean(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the mean over the bets of the wealth after each image."""
    top = steps.max(axis=0)
    found: NDArray[np.float64] = top + np.log(np.mean(np.exp(steps - top), axis=0))
    return found
