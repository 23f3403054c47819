"""Batch nuclear-norm maximization (BNM)."""

import torch
from torch import Tensor

from rn_model.objectives.base import Batch, Objective


def bnm_loss(logits: Tensor) -> Tensor:
    """Minus the nuclear norm of a batch of predictions, per image.

    Cui et al., "Towards Discriminability and Diversity: Batch Nuclear-norm Maximization under Label
    Insufficient Situations" (arXiv:2003.12237), section 3.3. Its least value is reached by predictions
    that are certain and spread evenly over the classes.

    Args:
        logits: of target images, ``(N, K)``.

    Returns:
        A scalar between ``-sqrt(min(N, K) / N)`` and 0.
    """
    if logits.dim() != 2 or logits.shape[0] == 0:
        raise ValueError(f"expected logits (N, K) of at least one image, got {tuple(logits.shape)}")
    norm: Tensor = torch.linalg.matrix_norm(torch.softmax(logits, dim=1), ord="nuc")
    return -norm / len(logits)


class BNM(Objective):
    """:func:`bnm_loss` of the target images."""

    def loss(self, batch: Batch) -> Tensor:
        return bnm_loss(batch.target_logits)
