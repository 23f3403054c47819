"""The entropy of predictions, and the weights that objectives derive from it."""

import torch
from torch import Tensor


def prediction_entropy(logits: Tensor) -> Tensor:
    """The Shannon entropy of each image's softmax, in nats.

    Shape:
        ``(N, K)`` to ``(N,)``.
    """
    log_probability = torch.log_softmax(logits, dim=1)
    return -(log_probability.exp() * log_probability).sum(dim=1)


def certainty_weight(logits: Tensor) -> Tensor:
    """The weight ``1 + exp(-entropy)``: 2 for a certain prediction, nearly 1 for an uncertain one.

    CDAN+E (arXiv:1705.10667, equation 8) and MCC (arXiv:1912.03699, equation 5) use it. No gradient
    flows through it, because it is not to be optimized.

    Shape:
        ``(N, K)`` to ``(N,)``.
    """
    return 1 + torch.exp(-prediction_entropy(logits.detach()))
