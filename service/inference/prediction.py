"""Predictions of one version for a batch of images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """Predictions of one version.

    Attributes:
        version: number of the version.
        probabilities: probability of each class, ``(N, K)``.
    """

    version: int
    probabilities: NDArray[np.float64]
