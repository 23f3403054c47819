"""Minimum Class Confusion."""

import torch
from torch import Tensor

from rn_model.objectives.entropy import certainty_weight


def mcc_loss(logits: Tensor, temperature: float = 2.5) -> Tensor:
    """How much a batch of target predictions confuses classes with one another.

    Jin et al., "Minimum Class Confusion for Versatile Domain Adaptation" (arXiv:1912.03699), section 3:
    probabilities at a temperature (equation 3), the class correlation ``C = Y^T W Y`` with images
    weighted by certainty (equations 4 to 6), its rows normalised (equation 7), and the mean over
    classes of what lies off the diagonal (equation 8).

    Args:
        logits: of target images, ``(N, K)``.
        temperature: of the softmax; the paper's 2.5.

    Returns:
        A scalar between 0 and 1.
    """
    if logits.dim() != 2 or logits.shape[0] == 0:
        raise ValueError(f"expected logits (N, K) of at least one image, got {tuple(logits.shape)}")
    scaled = logits / temperature
    probability = torch.softmax(scaled, dim=1)
    weight = certainty_weight(scaled)
    weight = len(weight) * weight / weight.sum()
    confusion = probability.T @ (weight.unsqueeze(1) * probability)
    confusion = confusion / confusion.sum(dim=1, keepdim=True)
    return (confusion.sum() - confusion.trace()) / logits.shape[1]
