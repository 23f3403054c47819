"""Discriminators, networks that distinguish the two domains, and their loss."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def perceptron(num_features: int, hidden: int, outputs: int) -> nn.Sequential:
    """A perceptron with two hidden layers, ``(N, D)`` to ``(N, outputs)``."""
    return nn.Sequential(
        nn.Linear(num_features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


class DomainDiscriminator(nn.Module):
    """A perceptron with two hidden layers that predicts the domain.

    Args:
        num_features: width of the input, D.
        hidden: width of the hidden layers.

    Shape:
        ``(N, D)`` to logits ``(N,)`` of "is source".
    """

    def __init__(self, num_features: int, hidden: int = 1024) -> None:
        super().__init__()
        self.layers = perceptron(num_features, hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.layers(x)
        return logit.squeeze(1)


class ConditionalDiscriminator(DomainDiscriminator):
    """A perceptron that predicts the domain from the joint map of features and predictions.

    Args:
        num_features: width of the features, D.
        num_classes: number of classes, K.
        hidden: width of the two hidden layers.

    Shape:
        Joint map ``(N, K * D)`` to logits ``(N,)`` of "is source".
    """

    def __init__(self, num_features: int, num_classes: int, hidden: int = 128) -> None:
        super().__init__(num_features * num_classes, hidden)


def domain_loss(logit: Tensor, source: int, weight: Tensor | None = None) -> Tensor:
    """The binary cross-entropy of a discriminator, averaged over both domains.

    Args:
        logit: logits of "is source", ``(N,)``, source images first.
        source: number of source images; the others are target images.
        weight: weights of the images, ``(N,)``, not negative; None for equal weights. The weights of
            each domain are normalized to sum to 1. A domain whose weights are all 0 contributes 0.

    Returns:
        A scalar.

    Raises:
        ValueError: if the batch has no images of one domain.
    """
    if not 0 < source < len(logit):
        raise ValueError(
            f"{source} of {len(logit)} images are source images: both domains are needed"
        )
    losses = F.softplus(-logit[:source]), F.softplus(logit[source:])
    if weight is None:
        return (losses[0].mean() + losses[1].mean()) / 2
    weights = weight[:source], weight[source:]
    means = [weighted_mean(loss, w) for loss, w in zip(losses, weights, strict=True)]
    return (means[0] + means[1]) / 2


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """``sum(w * v) / sum(w)`` with weights that are not negative; 0 if all of them are 0."""
    total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
    return (weight * values).sum() / total
