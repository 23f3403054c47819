"""Guard F: class shares of the target, estimated without labels, and weights that even them out.

Where the target sees some classes much more often than others, moments follow the frequent classes, and no
label-free score sees the loss. So the shares are estimated and reported, images are weighted by them, and a
version made of images whose shares are far off has to pass more.

Sources: black box shift estimation, Lipton, Wang and Smola, arXiv:1802.03916, shrunk towards the source's
shares; for weights without a confusion matrix, the predictions themselves. Assumption: within a class, the
target's images are predicted as the source's are; under a shift of the inputs the estimate is rough.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import GuardCalibration

Shares = NDArray[np.float64]
# A class counts as if at least this part of an equal share of the images were predicted so; heavier
# weights would let single images decide.
MIN_SHARE = 0.2
MAX_WEIGHT = 5.0
# Images' worth of belief in the source's shares.
BELIEF = 50.0
# Ridge of the equations for the shares: how far a strongly confused pair of classes keeps to the source's.
RIDGE = 1e-2
# Above this distance from the source's shares, no label-free score of a version may fall at all.
FAR_OFF = 0.3


@dataclass(frozen=True)
class ClassShares:
    """Estimated class shares of some images.

    Attributes:
        shares: share of each class, ``(K,)``; their sum is 1.
        images: number of images behind the estimate.
        distance: half the sum of absolute differences from the source's shares, 0 to 1.
    """

    shares: Shares
    images: float
    distance: float


def estimate_shares(
    mean: Shares,
    images: float,
    confusion: NDArray[np.float64] | None,
    source: Shares | None = None,
) -> ClassShares:
    """Estimate the class shares of images from their predictions.

    Args:
        mean: mean prediction of the images, ``(K,)``; without effect if there are none.
        images: number of images.
        confusion: mean prediction of source images by their class, ``(K, K)``, a row for each true class;
            None to take the mean prediction as it is.
        source: class shares of the source; None for equal ones.
    """
    classes = len(mean)
    prior = np.full(classes, 1 / classes) if source is None else source
    belief = BELIEF / (images + BELIEF)
    # The more images, the less the ridge is needed; a fixed one would be wrong however many there are.
    shares = mean if confusion is None else _solve(mean, confusion, prior, RIDGE * belief)
    shares = (1 - belief) * shares + belief * prior
    return ClassShares(shares, images, float(np.abs(shares - prior).sum() / 2))


ShareEstimator = Callable[[Shares], ClassShares]


def share_estimator(guards: GuardCalibration | None) -> ShareEstimator | None:
    """Estimates class shares from the sum of the predictions of images, ``(K,)``, each of which counts 1.

    Args:
        guards: what a bundle knows of the source.

    Returns:
        None if it does not know how the source's classes are confused.
    """
    if guards is None or guards.confusion is None or guards.source_shares is None:
        return None
    confusion, source = np.array(guards.confusion), np.array(guards.source_shares)

    def estimate(predicted: Shares) -> ClassShares:
        images = float(predicted.sum())
        mean = predicted / images if images else source
        return estimate_shares(mean, images, confusion, source)

    return estimate


def image_weights(probabilities: NDArray[np.float64], shares: Shares) -> NDArray[np.float64]:
    """Weights ``(N,)`` with mean near 1 under which all classes count alike in the moments.

    ``w_i = mean over classes c of q_ic / max(f_c, 0.2 / K)``, ``q`` the predictions and ``f`` the class
    shares of the domain, at most 5. Without label shift they are all near 1.

    Args:
        probabilities: predictions ``(N, K)``.
        shares: sum of the predictions of the domain so far, these among them, ``(K,)``.
    """
    frequency = np.maximum(shares / shares.sum(), MIN_SHARE / len(shares))
    weights: NDArray[np.float64] = (probabilities / frequency).mean(axis=1)
    return np.minimum(weights, MAX_WEIGHT)


def _solve(mean: Shares, confusion: NDArray[np.float64], prior: Shares, ridge: float) -> Shares:
    """Shares that explain a mean prediction: ``confusion' shares = mean``, none below 0."""
    classes = len(mean)
    left = confusion @ confusion.T + ridge * np.eye(classes)
    solved = np.linalg.solve(left, confusion @ mean + ridge * prior)
    positive = np.clip(solved, 0, None)
    found: Shares = positive / positive.sum() if positive.sum() > 0 else prior
    return found
