"""Gradient reversal: the identity in the forward pass, with the sign of the gradient reversed."""

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

    Source: Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation" (arXiv:1409.7495),
    section 3.

    Shape:
        Any shape to the same shape.

    Example:
        >>> x = torch.tensor(2.0, requires_grad=True)
        >>> reverse_gradient(3 * x, strength=0.5).backward()
        >>> x.grad
        tensor(-1.5000)
    """
    result: Tensor = _ReverseGradient.apply(x, strength)  # type: ignore[no-untyped-call]
    return result


def reversal_strength(progress: float) -> float:
    """The schedule ``2 / (1 + exp(-10 p)) - 1``, from 0 at the start to nearly 1 at the end of training.

    Source: arXiv:1409.7495, section 4.

    Args:
        progress: completed share of the training, 0 to 1.
    """
    return 2.0 / (1.0 + math.exp(-10.0 * progress)) - 1.0
