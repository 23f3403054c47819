"""Ranks classes by their probability."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Up to this number of classes, finding the largest one by one is faster than sorting all.
FEW = 8


def most_probable(probabilities: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Positions of the most probable classes of each image, the most probable first.

    Classes with the same probability are in the order of their positions.

    Args:
        probabilities: ``(N, K)``.
        count: number of classes, 1 or more; at most all are returned.

    Returns:
        ``(N, min(count, K))``.

    Example:
        >>> most_probable(np.array([[0.2, 0.5, 0.2, 0.1]]), 3).tolist()
        [[1, 0, 2]]
    """
    images, classes = probabilities.shape
    if count > FEW:
        return np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    left = probabilities.copy()
    found = np.empty((images, min(count, classes)), np.intp)
    rows = np.arange(images)
    for place in range(found.shape[1]):
        found[:, place] = left.argmax(axis=1)
        left[rows, found[:, place]] = -np.inf
    return found
