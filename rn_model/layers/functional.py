"""The equations of Reciprocal Normalization as pure functions.

Source: Huang et al., "Reciprocal Normalization for Domain Adaptation", arXiv:2112.10474.
Reciprocal Compensation (RC) is the paper's section 3.2, a kernel regression of one domain's moments on
the other's; Reciprocal Aggregation (RA) is section 3.3. A moment is a vector ``(C,)``, or several of
them ``(*, C)``; ``own`` belongs to the domain that is normalized, ``other`` to the other one.
"""

from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Similarity = Literal["squared", "absolute", "product"]


def group_width(channels: int, groups: int | None = None) -> int:
    """Consecutive channels that share one row of the correlation.

    1 below 512 channels, else ``channels // 512``; where that does not divide ``channels``, the
    largest divisor below it.

    Args:
        channels: C.
        groups: number of rows instead; where it does not divide C, the largest divisor below it.
    """
    if channels < 1:
        raise ValueError(f"channels must be at least 1, not {channels}")
    if groups is not None:
        if groups < 1:
            raise ValueError(f"groups must be at least 1, not {groups}")
        return channels // _largest_divisor(channels, min(groups, channels))
    return _largest_divisor(channels, max(1, channels // 512))


def _largest_divisor(number: int, bound: int) -> int:
    while number % bound:
        bound -= 1
    return bound


def correlation(
    own: Tensor,
    other: Tensor,
    *,
    scale: float = 1.0,
    similarity: Similarity = "squared",
    groups: int | None = None,
) -> Tensor:
    """How much every group of the own domain resembles every group of the other: RC's softmax.

    ``P_ij = softmax_j(scale * s(k(own)_i, k(other)_j))``, where the key ``k`` of a group is the mean
    of its channels and ``s`` is minus the squared difference (the paper), minus the absolute
    difference, or the product.

    Args:
        own, other: moments of each domain, ``(*, C)``.
        scale: 1 in the paper. Larger values make the rows sharper.
        groups: as of :func:`group_width`.

    Returns:
        ``(*, C / g, C / g)`` with rows that sum to 1, ``g = group_width(C, groups)``.
    """
    width = group_width(own.shape[-1], groups)
    rows = _grouped(own, width).mean(dim=-1).unsqueeze(-1)
    columns = _grouped(other, width).mean(dim=-1).unsqueeze(-2)
    return _softmax(rows, columns, scale, similarity)[0]


def reciprocal_compensation(
    own: Tensor,
    other: Tensor,
    *,
    scale: float = 1.0,
    similarity: Similarity = "squared",
    groups: int | None = None,
) -> Tensor:
    """Reciprocal Compensation of moments: the other domain's, seen through the correlation.

    ``cm_d = P_d mu_d'``, the rows of ``P_d`` acting on the groups of ``mu_d'``. Differentiable once.

    Returns:
        ``(*, C)``, the counterpart of ``own`` made of the other domain's values.
    """
    width = group_width(own.shape[-1], groups)
    keys = _grouped(own, width).mean(dim=-1)
    values = _grouped(other, width)
    if torch.is_grad_enabled() and (own.requires_grad or other.requires_grad):
        found: Tensor = _Regression.apply(keys, values, scale, similarity)  # type: ignore[no-untyped-call]
    else:
        found = _regress(keys, values, scale, similarity)[0]
    return torch.flatten(found, -2)


def project_gate(gate: Tensor, floor: float = 0.5) -> Tensor:
    """The gate's nearest value in [floor, 1], with the gradient passed straight through.

    A variance gate outside of [0, 1] could make a variance negative.
    """
    return gate.clamp(floor, 1.0).detach() + (gate - gate.detach())


def reciprocal_aggregation(
    own: Tensor, compensation: Tensor, gate: Tensor, floor: float = 0.5
) -> Tensor:
    """Reciprocal Aggregation: ``gate * own + (1 - gate) * compensation``, gates held in [floor, 1]."""
    inside = project_gate(gate, floor)
    return inside * own + (1 - inside) * compensation


def _grouped(moments: Tensor, width: int) -> Tensor:
    return moments.reshape(*moments.shape[:-1], -1, width)


def _softmax(
    rows: Tensor, columns: Tensor, scale: float, similarity: Similarity
) -> tuple[Tensor, Tensor | None]:
    """The correlation, and by what the score's derivative is made (None for the product)."""
    if similarity == "product":
        return torch.softmax(rows * (columns * scale), dim=-1), None
    if similarity not in ("squared", "absolute"):
        raise ValueError(
            f"similarity must be 'squared', 'absolute' or 'product', not {similarity!r}"
        )
    difference = rows - columns
    if similarity == "squared":
        zero = difference.new_zeros(())  # one pass in the place of two
        score = torch.addcmul(zero, difference, difference, value=-scale)
    else:
        score = difference.abs().mul_(-scale)
    return torch.softmax(score, dim=-1), difference


def _regress(
    keys: Tensor, values: Tensor, scale: float, similarity: Similarity
) -> tuple[Tensor, Tensor, Tensor | None]:
    columns = values.mean(dim=-1).unsqueeze(-2)
    probability, difference = _softmax(keys.unsqueeze(-1), columns, scale, similarity)
    return _times(probability, values), probability, difference


def _times(matrix: Tensor, columns: Tensor) -> Tensor:
    """``matrix @ columns`` of a few columns, in the form that the kernels are fast in.

    Never in the half precision that autocast would choose.
    """
    device = matrix.device.type
    autocast = torch.is_autocast_enabled(device)
    with torch.autocast(device, enabled=False) if autocast else nullcontext():
        return (columns.mT.contiguous() @ matrix.mT).mT


class _Regression(torch.autograd.Function):
    """``out_i = sum_j P_ij V_j`` with ``P_ij = softmax_j(score(k_i, mean(V_j)))``, (*, G) and (*, G, w).

    Written out because autograd would go some ten times more over matrices of ``G * G`` numbers. The
    gradient of a score is ``P_ij g_i (V_j - out_i)``, that of a key the sum of these over a row or a
    column, each times the score's derivative ``D_ij``. So ``T = P * D`` and its products with a few
    columns are all that it takes.
    """

    @staticmethod
    def forward(
        ctx: Any, keys: Tensor, values: Tensor, scale: float, similarity: Similarity
    ) -> Tensor:
        out, probability, difference = _regress(keys, values, scale, similarity)
        ctx.scale, ctx.similarity = scale, similarity
        ctx.save_for_backward(keys, values, out, probability, difference)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        keys, values, out, probability, difference = ctx.saved_tensors
        # From a common origin, to lose no digits.
        origin = values.mean(dim=-2, keepdim=True)
        near, rest = values - origin, (gradient * (out - origin)).sum(dim=-1, keepdim=True)
        columns = torch.cat((gradient, rest), dim=-1)
        if difference is None:
            factor = ctx.scale
            by_rows = probability * values.mean(dim=-1).unsqueeze(-2)
            by_columns, columns = probability, columns * keys.unsqueeze(-1)
        else:
            squared = ctx.similarity == "squared"
            factor = -2 * ctx.scale if squared else -ctx.scale
            by_rows = by_columns = probability * (difference if squared else difference.sign())
        across = _times(by_rows, torch.cat((near, torch.ones_like(rest)), dim=-1))
        down = _times(by_columns.mT, columns)
        width = near.shape[-1]
        of_keys = (gradient * across[..., :width]).sum(-1) - (rest * across[..., width:]).sum(-1)
        of_columns = (near * down[..., :width]).sum(-1) - down[..., width]
        sign = 1 if difference is None else -1  # the derivative by the column's key
        of_values = _times(probability.mT, gradient)
        of_values += (sign * factor / width * of_columns).unsqueeze(-1)
        return factor * of_keys, of_values, None, None
