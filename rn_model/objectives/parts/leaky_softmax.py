"""The leaky softmax: class probabilities that may sum to less than 1; the rest is "none of them"."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def leaky_log_softmax(logits: Tensor) -> Tensor:
    """The logarithm of the leaky softmax ``exp(z_c) / (K + sum_j exp(z_j))``.

    Source: Cao et al., "Learning to Transfer Examples for Partial Domain Adaptation" (arXiv:1903.12230),
    section 3.3.

    Shape:
        ``(N, K)`` to ``(N, K)``.
    """
    return logits - _log_total(logits)


def leaky_log_complement(logits: Tensor) -> Tensor:
    """The logarithm of 1 minus the leaky softmax, without loss of digits where that is close to 1.

    Shape:
        ``(N, K)`` to ``(N, K)``.
    """
    log_total = _log_total(logits)
    is_top = F.one_hot(logits.argmax(dim=1), logits.shape[1]).bool()
    # Only the largest probability can exceed 1/2, so only its complement could round to 0.
    others = torch.log1p(-(logits - log_total).masked_fill(is_top, -torch.inf).exp())
    top = _log_total(logits.masked_fill(is_top, -torch.inf), logits.shape[1]) - log_total
    return torch.where(is_top, top, others)


def leaky_logit(logits: Tensor) -> Tensor:
    """The logit of the sum of the leaky softmax, whose sigmoid is ``sum_c e^z_c / (K + sum_j e^z_j)``.

    Shape:
        ``(N, K)`` to ``(N,)``.
    """
    return torch.logsumexp(logits, dim=1) - math.log(logits.shape[1])


def _log_total(logits: Tensor, leak: int | None = None) -> Tensor:
    """``log(leak + sum_j exp(z_j))``, ``(N, 1)``; the leak is K by default."""
    rest = logits.new_full((len(logits), 1), math.log(leak or logits.shape[1]))
    return torch.logsumexp(torch.cat([logits, rest], dim=1), dim=1, keepdim=True)
