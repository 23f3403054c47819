"""Probabilities of classes that need not sum to 1: the rest is "none of them"."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def leaky_log_softmax(logits: Tensor) -> Tensor:
    """Logarithm of ``exp(z_c) / (K + sum_j exp(z_j))``.

    Cao et al., "Learning to Transfer Examples for Partial Domain Adaptation" (arXiv:1903.12230),
    section 3.3: the leaky-softmax.

    Shape:
        ``(N, K)`` to ``(N, K)``.
    """
    return logits - _log_total(logits)


def leaky_log_complement(logits: Tensor) -> Tensor:
    """Logarithm of 1 minus each leaky-softmax, without the loss of digits where it nears 1.

    Shape:
        ``(N, K)`` to ``(N, K)``.
    """
    log_total = _log_total(logits)
    is_top = F.one_hot(logits.argmax(dim=1), logits.shape[1]).bool()
    # Only the largest can exceed 1/2, so that 1 - p would round to 0 for it alone.
    others = torch.log1p(-(logits - log_total).masked_fill(is_top, -torch.inf).exp())
    top = _log_total(logits.masked_fill(is_top, -torch.inf), logits.shape[1]) - log_total
    return torch.where(is_top, top, others)


def leaky_logit(logits: Tensor) -> Tensor:
    """The logit of the sum of the leaky-softmax: its sigmoid is ``sum_c exp(z_c) / (K + sum_j exp(z_j))``.

    Shape:
        ``(N, K)`` to ``(N,)``.
    """
    return torch.logsumexp(logits, dim=1) - math.log(logits.shape[1])


def _log_total(logits: Tensor, leak: int | None = None) -> Tensor:
    """``log(leak + sum_j exp(z_j))``, by default with K as the leak, ``(N, 1)``."""
    rest = logits.new_full((len(logits), 1), math.log(leak or logits.shape[1]))
    return torch.logsumexp(torch.cat([logits, rest], dim=1), dim=1, keepdim=True)
