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
        queue, decode, infer: seconds in each stage.
    """

    version: int
    probabilities: NDArray[np.float64]
    queue: float = 0.0
    decode: float = 0.0
    infer: float = 0.0
