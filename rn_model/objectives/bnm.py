"""BNM (Cui et al., arXiv:2003.12237): batch nuclear-norm maximization."""

import torch
from torch import Tensor

from rn_model.objectives.base import Batch, Objective


def bnm_loss(logits: Tensor) -> Tensor:
    """The BNM loss: minus the nuclear norm of the matrix of predictions, divided by N.

    Source: Cui et al., "Towards Discriminability and Diversity: Batch Nuclear-norm Maximization under
    Label Insufficient Situations" (arXiv:2003.12237), section 3.3. Predictions that are certain and
    spread evenly over the classes minimize it.

    Args:
        logits: outputs for target images, ``(N, K)``.

    Returns:
        A scalar between ``-sqrt(min(N, K) / N)`` and 0.

    Raises:
        ValueError: if ``logits`` has another number of dimensions or no images.

    Example:
        >>> certain = torch.tensor([[50.0, 0.0], [0.0, 50.0]])
        >>> round(float(bnm_loss(certain)), 3), round(float(bnm_loss(0 * certain)), 3)
        (-1.0, -0.5)
    """
    if logits.dim() != 2 or logits.shape[0] == 0:
        raise ValueError(f"expected logits (N, K) of at least one image, got {tuple(logits.shape)}")
    norm: Tensor = torch.linalg.matrix_norm(torch.softmax(logits, dim=1), ord="nuc")
    return -norm / len(logits)


class BNM(Objective):
    """BNM: :func:`bnm_loss` of the target images."""

    def loss(self, batch: Batch) -> Tensor:
        return bnm_loss(batch.target_logits)
