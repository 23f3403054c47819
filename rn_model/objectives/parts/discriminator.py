"""Networks that tell the two domains apart."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def perceptron(num_features: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers: ``(N, D)`` to ``(N, outputs)``."""
    return nn.Sequential(
        nn.Linear(num_features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


class DomainDiscriminator(nn.Module):
    """A perceptron with two hidden layers.

    Args:
        num_features: D, of its input.
        hidden: width of the two hidden layers.

    Shape:
        ``(N, D)`` to ``(N,)``, logits of "is source".
    """

    def __init__(self, num_features: int, hidden: int = 1024) -> None:
        super().__init__()
        self.layers = perceptron(num_features, hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.layers(x)
        return logit.squeeze(1)


class ConditionalDiscriminator(DomainDiscriminator):
    """Tells the domains apart by features and predictions together.

    Args:
        num_features: D.
        num_classes: K.
        hidden: width of the two hidden layers.

    Shape:
        joint map ``(N, K * D)`` to ``(N,)``, logits of "is source".
    """

    def __init__(self, num_features: int, num_classes: int, hidden: int = 128) -> None:
        super().__init__(num_features * num_classes, hidden)


def domain_loss(logit: Tensor, source: int, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of a discriminator, each domain counting one half.

    Args:
        logit: of "is source", ``(N,)``, source images first.
        source: how many images are source; the others are target.
        weight: of the images, ``(N,)``, not negative; None for all 1. The weights of each domain are
            normalised to sum to 1, and a domain whose weights are all 0 counts nothing.

    Returns:
        A scalar.

    Raises:
        ValueError: if a domain is missing.
    """
    if not 0 < source < len(logit):
        raise ValueError(f"{source} source images of {len(logit)}: both domains must be there")
    losses = F.softplus(-logit[:source]), F.softplus(logit[source:])
    if weight is None:
        return (losses[0].mean() + losses[1].mean()) / 2
    weights = weight[:source], weight[source:]
    means = [weighted_mean(loss, w) for loss, w in zip(losses, weights, strict=True)]
    return (means[0] + means[1]) / 2


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """``sum(w * v) / sum(w)``, and 0 where all weights, none of them negative, are 0."""
    total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
    return (weight * values).sum() / total
