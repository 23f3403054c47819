"""Labels of target images by the nearest centroid of a class."""

import torch
import torch.nn.functional as F
from torch import Tensor


def centroid_labels(features: Tensor, probability: Tensor, rounds: int = 1) -> Tensor:
    """The class whose centroid is nearest in cosine distance.

    Liang et al. (arXiv:2002.08546), section 3.2, equations 4 to 6: the first centroids are means of
    all features weighted by the probability of the class, the later ones means of the features that
    carry its label. A class that no image carries has no centroid and is not given again.

    Args:
        features: ``(M, D)``.
        probability: ``(M, K)``.
        rounds: how often centroids of labelled features follow the first ones; the paper's 1.

    Returns:
        ``(M,)`` int64.
    """
    weight = probability
    labels = _nearest(features, weight)
    for _ in range(rounds):
        weight = F.one_hot(labels, probability.shape[1]).to(probability.dtype)
        labels = _nearest(features, weight)
    return labels


def _nearest(features: Tensor, weight: Tensor) -> Tensor:
    # The length of a centroid does not matter to the cosine, so a sum serves as well as a mean.
    centroids = F.normalize(weight.T @ features, dim=1)
    cosine = F.normalize(features, dim=1) @ centroids.T
    return cosine.masked_fill(weight.sum(dim=0) == 0, -torch.inf).argmax(dim=1)
