"""Reciprocal Normalization in plain numpy and float64, written from the equations alone."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def width(channels: int) -> int:
    """The width of a group: the largest divisor of C that is at most C // 512, and at least 1."""
    return max([1, *(d for d in range(1, channels // 512 + 1) if channels % d == 0)])


def compensation(own: Array, other: Array, scale: float = 1.0) -> Array:
    """RC: an average of the other domain's groups for each own group, weighted by similarity of keys."""
    g = width(len(own))
    result = np.empty_like(own)
    rows, columns = own.reshape(-1, g), other.reshape(-1, g)
    keys = columns.mean(axis=1)
    for i, row in enumerate(rows):
        score = np.exp(-scale * (row.mean() - keys) ** 2 + scale * np.min((row.mean() - keys) ** 2))
        result.reshape(-1, g)[i] = (score[:, None] * columns).sum(axis=0) / score.sum()
    return result


def aggregation(own: Array, other: Array, gate: Array, scale: float = 1.0) -> Array:
    """RC followed by RA."""
    return gate * own + (1 - gate) * compensation(own, other, scale)


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and unbiased variance per channel of ``(N, C, *)``."""
    values = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
    mean = values.mean(axis=1)
    return mean, ((values - mean[:, None]) ** 2).sum(axis=1) / (values.shape[1] - 1)


def normalize(x: Array, mean: Array, variance: Array, gamma: Array, beta: Array) -> Array:
    """Normalize with the layer's default eps."""
    shape = (1, -1, *[1] * (x.ndim - 2))
    mean, variance, gamma, beta = (v.reshape(shape) for v in (mean, variance, gamma, beta))
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta
