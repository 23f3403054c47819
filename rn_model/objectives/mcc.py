"""MCC (Jin et al., arXiv:1912.03699): minimum class confusion."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rn_model.objectives.base import Batch, Objective
from rn_model.objectives.parts.entropy import certainty_weight


def mcc_loss(logits: Tensor, temperature: float = 2.5) -> Tensor:
    """The MCC loss: how much a batch of predictions confuses classes with one another.

    Source: Jin et al., "Minimum Class Confusion for Versatile Domain Adaptation" (arXiv:1912.03699),
    section 3: probabilities ``Y`` at a temperature (equation 3), the class correlation ``C = Y^T W Y``
    with images weighted by certainty (equations 4 to 6), its rows normalized (equation 7), and the mean
    over the classes of the sum off the diagonal (equation 8).

    Args:
        logits: outputs for target images, ``(N, K)``.
        temperature: temperature of the softmax; 2.5 in the paper.

    Returns:
        A scalar between 0 and 1.

    Raises:
        ValueError: if ``logits`` has another number of dimensions or no images.

    Example:
        >>> certain = torch.tensor([[50.0, 0.0], [0.0, 50.0]])
        >>> round(float(mcc_loss(certain)), 3), round(float(mcc_loss(0 * certain)), 3)
        (0.0, 0.5)
    """
    if logits.dim() != 2 or logits.shape[0] == 0:
        raise ValueError(f"expected logits (N, K) of at least one image, got {tuple(logits.shape)}")
    scaled = logits / temperature
    log_probability = torch.log_softmax(scaled, dim=1)
    # Row j of the normalized correlation is a mean of predictions with weights in proportion to w_i Y_ij.
    # Computed as a softmax over images, it stays finite for a class that underflows in all of them.
    share = torch.softmax(log_probability + certainty_weight(scaled).log().unsqueeze(1), dim=0)
    return (share * (1 - log_probability.exp())).sum() / logits.shape[1]


class MCC(Objective):
    """MCC: :func:`mcc_loss` of the target images.

    Args:
        temperature: temperature of the softmax.
    """

    def __init__(self, *, temperature: Annotated[float, Field(gt=0)] = 2.5) -> None:
        super().__init__()
        self.temperature = temperature

    def loss(self, batch: Batch) -> Tensor:
        return mcc_loss(batch.target_logits, self.temperature)
