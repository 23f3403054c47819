"""Conditional adversarial alignment of the two domains, with entropy conditioning (CDAN+E)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rn_model.objectives.entropy import certainty_weight
from rn_model.objectives.gradient_reversal import reverse_gradient


class ConditionalDiscriminator(nn.Module):
    """Tells the domains apart by features and predictions together.

    Args:
        num_features: D.
        num_classes: K.
        hidden: width of the two hidden layers.

    Shape:
        joint map ``(N, K * D)`` to ``(N,)``, logits of "is source".
    """

    def __init__(self, num_features: int, num_classes: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(num_features * num_classes, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, joint: Tensor) -> Tensor:
        logit: Tensor = self.layers(joint)
        return logit.squeeze(1)


def multilinear_map(features: Tensor, probability: Tensor) -> Tensor:
    """The outer product of predictions and features, flattened (the paper's equation 5).

    Shape:
        ``(N, D)`` and ``(N, K)`` to ``(N, K * D)``.
    """
    return (probability.unsqueeze(2) * features.unsqueeze(1)).flatten(1)


def cdan_loss(
    discriminator: nn.Module,
    features: Tensor,
    logits: Tensor,
    *,
    source: int,
    strength: float = 1.0,
) -> Tensor:
    """The discriminator's loss, with its gradient reversed where it enters the network.

    Long et al., "Conditional Adversarial Domain Adaptation" (arXiv:1705.10667), equation 8: binary
    cross-entropy of the joint maps, images weighted by certainty, the weights of each domain
    normalised to sum to 1.

    Args:
        discriminator: maps ``(N, K * D)`` to logits ``(N,)`` of "is source".
        features: ``(N, D)``, source images first.
        logits: ``(N, K)``.
        source: how many images are source; the others are target.
        strength: factor of the reversed gradient.

    Returns:
        A scalar, the mean of both domains' losses.
    """
    if not 0 < source < len(features):
        raise ValueError(f"{source} source images of {len(features)}: both domains must be there")
    joint = multilinear_map(features, torch.softmax(logits, dim=1))
    domain_logit = discriminator(reverse_gradient(joint, strength))
    is_source = torch.zeros_like(domain_logit)
    is_source[:source] = 1
    loss = F.binary_cross_entropy_with_logits(domain_logit, is_source, reduction="none")
    weighted = certainty_weight(logits) * loss
    weight = certainty_weight(logits)
    return (
        weighted[:source].sum() / weight[:source].sum()
        + weighted[source:].sum() / weight[source:].sum()
    ) / 2
