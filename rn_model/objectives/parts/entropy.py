"""The entropy of predictions, and the weight that objectives give to certain ones."""

import torch
from torch import Tensor


def prediction_entropy(logits: Tensor) -> Tensor:
    """Shannon entropy in nats of each image's softmax.

    Shape:
        ``(N, K)`` to ``(N,)``.
    """
    log_probability = torch.log_softmax(logits, dim=1)
    return -(log_probability.exp() * log_probability).sum(dim=1)


def certainty_weight(logits: Tensor) -> Tensor:
    """``1 + exp(-entropy)``: 2 for a certain prediction, towards 1 for an uncertain one.

    Used by CDAN+E (arXiv:1705.10667, equation 8) and by MCC (arXiv:1912.03699, equation 5). It is a
    weight, not a goal: no gradient flows through it.

    Shape:
        ``(N, K)`` to ``(N,)``.
    """
    return 1 + torch.exp(-prediction_entropy(logits.detach()))
