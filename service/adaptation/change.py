"""Has the domain changed? Two samples of input features are compared.

Means of single features are compared in units of their standard error, as in Welch's test. One number is
decided on, the largest over the features: far above what chance gives (about 4 for a few hundred images),
because images of one domain differ from hour to hour, too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bundle.interface import FEATURE_FLOORS

Features = NDArray[np.float64]
# In logarithms: two samples whose images are all alike still may differ by this much.
MIN_ERROR = 1e-4
# The features by which a single image can be told to be foreign; the others vary too much within a domain.
SINGLE = 4
MAD_TO_DEVIATION = 1.4826
MIN_SPREAD = 0.02
# Robust z-score above which an image counts less, and the fewest images that show what is usual.
LARGE_Z = 4.0
MIN_TYPICAL = 16


def log_features(features: Features) -> Features:
    """Logarithms ``(N, F)`` of input features: a change of contrast or of light becomes a shift."""
    floors = np.array(list(FEATURE_FLOORS.values()))[: features.shape[1]]
    with np.errstate(invalid="ignore"):
        logarithms: Features = np.log(np.maximum(features, 0) + floors)
    return logarithms


def raw_features(logarithms: Features) -> Features:
    """The inverse of :func:`log_features`."""
    floors = np.array(list(FEATURE_FLOORS.values()))[: logarithms.shape[1]]
    raw: Features = np.exp(logarithms) - floors
    return raw


def difference(sample: Features, reference: Features) -> float:
    """Largest difference of the mean of a feature, in standard errors.

    Args:
        sample: features ``(N, F)``, N at least 2.
        reference: features ``(M, F)``, M at least 2.
    """
    error = standard_error(sample, reference)
    return float(np.max(np.abs(sample.mean(axis=0) - reference.mean(axis=0)) / error))


def standard_error(sample: Features, reference: Features) -> NDArray[np.float64]:
    """Standard error of the difference of the means of each feature, ``(F,)``; see :func:`difference`."""
    of_sample, of_reference = (x.var(axis=0, ddof=1) / len(x) for x in (sample, reference))
    error: NDArray[np.float64] = np.sqrt(of_sample + of_reference) + MIN_ERROR
    return error


def last_change(sample: Features, reference: Features, at_least: int) -> tuple[int, float]:
    """Where in a sample, in order of time, its last part differs most from the reference.

    Args:
        sample: features ``(N, F)``.
        reference: features ``(M, F)``, M at least 2.
        at_least: number of images in the part, 2 or more.

    Returns:
        Index at which the part begins, and its :func:`difference`; ``(N, 0.0)`` if the sample is smaller.
    """
    count = len(sample)
    if count < at_least:
        return count, 0.0
    # Sums from every index to the end, so that all parts are compared at once.
    totals = np.cumsum(sample[::-1], axis=0)[::-1]
    squares = np.cumsum(np.square(sample)[::-1], axis=0)[::-1]
    starts = np.arange(count - at_least + 1)
    sizes = (count - starts)[:, None]
    means = totals[starts] / sizes
    variances = np.maximum(squares[starts] / sizes - means**2, 0) / (sizes - 1)
    error = np.sqrt(variances + reference.var(axis=0, ddof=1) / len(reference)) + MIN_ERROR
    z = np.max(np.abs(means - reference.mean(axis=0)) / error, axis=1)
    best = int(np.argmax(z))
    return int(starts[best]), float(z[best])


def foreignness(features: Features, reference: Features) -> NDArray[np.float64]:
    """How far single images are from a reference: largest robust z-score of a feature, ``(N,)``.

    Infinite where a feature is not finite.

    Args:
        features: features ``(N, F)``.
        reference: features ``(M, F)``, M at least 1.
    """
    known = reference[:, :SINGLE]
    median = np.median(known, axis=0)
    spread = MAD_TO_DEVIATION * np.median(np.abs(known - median), axis=0)
    scale = np.maximum(spread, MIN_SPREAD)
    z = np.max(np.abs(features[:, :SINGLE] - median) / scale, axis=1, initial=0)
    return np.where(np.isfinite(features).all(axis=1), z, np.inf)


def typicality(features: Features) -> NDArray[np.float64]:
    """Weights of the images of one batch, ``(N,)``: those that are unlike most of the others count less.

    A Huber-like weight, ``min(1, (4 / z)^2)`` of the robust z-score of :func:`foreignness` within the
    batch: 1 for nearly all images of a batch without foreign ones, and small for a minority of another kind
    that was admitted, because a few foreign images are no change of the domain.

    Args:
        features: features ``(N, F)``.
    """
    if len(features) < MIN_TYPICAL:
        return np.ones(len(features))
    z = foreignness(features, features)
    weights: NDArray[np.float64] = np.square(LARGE_Z / np.maximum(z, LARGE_Z))
    return weights


def stack(rows: Sequence[Features], width: int) -> Features:
    """Rows ``(F,)`` as one array ``(N, F)``, of the given width if there are none."""
    return np.array(rows) if rows else np.empty((0, width))
