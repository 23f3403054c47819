"""A layer that passes values on and gradients back reversed."""

import math
from typing import Any

import torch
from torch import Tensor


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * grad_outputs[0], None


def reverse_gradient(x: Tensor, strength: float = 1.0) -> Tensor:
    """The identity, whose gradient is multiplied by ``-strength``.

    Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation" (arXiv:1409.7495), section 3.

    Shape:
        any, kept.
    """
    result: Tensor = _ReverseGradient.apply(x, strength)  # type: ignore[no-untyped-call]
    return result


def reversal_strength(progress: float) -> float:
    """From 0 at the start of training to nearly 1 at its end: ``2 / (1 + exp(-10 p)) - 1``.

    Source: the same paper, section 4.

    Args:
        progress: part of the training that is done, 0 to 1.
    """
    return 2.0 / (1.0 + math.exp(-10.0 * progress)) - 1.0
