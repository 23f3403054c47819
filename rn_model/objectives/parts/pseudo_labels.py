"""Pseudo-labels of target images from the nearest class centroid."""

import torch
import torch.nn.functional as F
from torch import Tensor


def centroid_labels(features: Tensor, probability: Tensor, rounds: int = 1) -> Tensor:
    """For each image, the class whose centroid is nearest in cosine distance.

    Source: Liang et al. (arXiv:2002.08546), section 3.2, equations 4 to 6. The first centroid of a class
    is the mean of all features weighted by the probability of the class. Later centroids are means of
    the features with its label. A class without any images has no centroid and is not assigned again.

    Args:
        features: inputs of the classifier, ``(M, D)``.
        probability: predicted probabilities, ``(M, K)``.
        rounds: number of times that centroids are computed again from the labels; 1 in the paper.

    Returns:
        Pseudo-labels, ``(M,)`` int64.
    """
    weight = probability
    labels = _nearest(features, weight)
    for _ in range(rounds):
        weight = F.one_hot(labels, probability.shape[1]).to(probability.dtype)
        labels = _nearest(features, weight)
    return labels


def _nearest(features: Tensor, weight: Tensor) -> Tensor:
    # The cosine does not depend on the length of a centroid, so a sum replaces the mean.
    centroids = F.normalize(weight.T @ features, dim=1)
    cosine = F.normalize(features, dim=1) @ centroids.T
    return cosine.masked_fill(weight.sum(dim=0) == 0, -torch.inf).argmax(dim=1)
