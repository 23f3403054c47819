"""Reciprocal Compensation (RC): a kernel regression of one domain's moments on the other domain's.

Source: Huang et al., "Reciprocal Normalization for Domain Adaptation", arXiv:2112.10474, section 3.2.
"""

from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Similarity = Literal["squared", "absolute", "product"]


def group_width(channels: int, groups: int | None = None) -> int:
    """The number of consecutive channels that share one row of RC's correlation (section 3.2).

    By default ``g = 1`` if ``C < 512``, else ``g = C // 512``, as in the paper. If that does not divide
    C, the largest divisor of C below it is used.

    Args:
        channels: number of channels C.
        groups: number of rows of the correlation, replacing the default. If it does not divide C, the
            largest divisor of C below it is used.

    Returns:
        The width g of a group, from 1 to C.

    Raises:
        ValueError: if ``channels`` or ``groups`` is less than 1.

    Example:
        >>> group_width(256), group_width(2048), group_width(2048, groups=64)
        (1, 4, 32)
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
    """RC's correlation matrix: the similarity of each channel group to each group of the other domain.

    ``P_ij = softmax_j(scale * s(k(own)_i, k(other)_j))`` (section 3.2), where the key ``k`` of a group
    is the mean of its channels, and the similarity ``s`` is

    - ``"squared"``: minus the squared difference, as in the paper,
    - ``"absolute"``: minus the absolute difference, or
    - ``"product"``: the product.

    Args:
        own, other: the same moment of both domains, each ``(*, C)``.
        scale: factor of the similarity; 1 in the paper. Larger values give sharper rows.
        similarity: similarity of two keys.
        groups: number of rows; see :func:`group_width`.

    Returns:
        ``P``, ``(*, C / g, C / g)`` with ``g = group_width(C, groups)``. Its rows sum to 1.

    Raises:
        ValueError: if there is no such similarity.

    Example:
        >>> own, other = torch.tensor([0.0, 3.0]), torch.tensor([3.0, 0.0])
        >>> correlation(own, other).round(decimals=3)
        tensor([[0., 1.],
                [1., 0.]])
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
    """Reciprocal Compensation (RC, section 3.2): the counterpart of ``own`` in the other domain.

    ``cm_d = P_d mu_d'`` for means and ``cv_d = Q_d v_d'`` for variances, with the :func:`correlation`
    ``P_d`` or ``Q_d`` of the same moments. A row of it weights whole groups of channels: the channel at
    position ``p`` of a group gets the weighted mean of the other domain's channels at position ``p``.

    The gradient can be computed, but not differentiated again.

    Args:
        own, other: the same moment of both domains, each ``(*, C)``.
        scale, similarity, groups: see :func:`correlation`.

    Returns:
        The compensation, ``(*, C)``, in the units of ``other``.

    Raises:
        ValueError: if there is no such similarity.

    Example:
        >>> own, other = torch.tensor([0.0, 3.0]), torch.tensor([3.1, 0.2])
        >>> reciprocal_compensation(own, other, scale=10.0).round(decimals=3)
        tensor([0.2000, 3.1000])
    """
    width = group_width(own.shape[-1], groups)
    keys = _grouped(own, width).mean(dim=-1)
    values = _grouped(other, width)
    if torch.is_grad_enabled() and (own.requires_grad or other.requires_grad):
        found: Tensor = _Regression.apply(keys, values, scale, similarity)  # type: ignore[no-untyped-call]
    else:
        found = _regress(keys, values, scale, similarity)[0]
    return torch.flatten(found, -2)


def _grouped(moments: Tensor, width: int) -> Tensor:
    return moments.reshape(*moments.shape[:-1], -1, width)


def _softmax(
    rows: Tensor, columns: Tensor, scale: float, similarity: Similarity
) -> tuple[Tensor, Tensor | None]:
    """The correlation, and the differences of keys that its derivative needs (None for the product)."""
    if similarity == "product":
        return torch.softmax(rows * (columns * scale), dim=-1), None
    if similarity not in ("squared", "absolute"):
        raise ValueError(
            f"similarity must be 'squared', 'absolute' or 'product', not {similarity!r}"
        )
    difference = rows - columns
    if similarity == "squared":
        zero = difference.new_zeros(())  # one pass instead of two
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
    """``matrix @ columns`` for a few columns, in the layout that the kernels are fast with.

    It is never computed in the half precision that autocast would choose.
    """
    device = matrix.device.type
    autocast = torch.is_autocast_enabled(device)
    with torch.autocast(device, enabled=False) if autocast else nullcontext():
        return (columns.mT.contiguous() @ matrix.mT).mT


class _Regression(torch.autograd.Function):
    """RC for keys ``(*, G)`` and values ``(*, G, w)``: ``out_i = sum_j P_ij V_j``.

    Here ``P_ij = softmax_j(score(k_i, mean(V_j)))``. The backward pass is written by hand because
    autograd would pass about ten more times over matrices of ``G * G`` numbers. The gradient of a score
    is ``P_ij g_i (V_j - out_i)``. The gradient of a key is the sum of these over a row or a column, each
    times the derivative ``D_ij`` of the score. Therefore the products of ``T = P * D`` with a few
    columns are all that is needed.
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
        # Relative to a common origin, so that no digits are lost.
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
        grad_keys = (gradient * across[..., :width]).sum(-1) - (rest * across[..., width:]).sum(-1)
        grad_columns = (near * down[..., :width]).sum(-1) - down[..., width]
        sign = (
            1 if difference is None else -1
        )  # sign of the derivative with respect to the column's key
        grad_values = _times(probability.mT, gradient)
        grad_values += (sign * factor / width * grad_columns).unsqueeze(-1)
        return factor * grad_keys, grad_values, None, None
