"""The training step of a domain-specific normalization, as one node of the autograd graph.

Normalizing a batch with its own moments is ``y = scale * (x - center) + shift`` for each domain. A small
computation on vectors, the rule, derives center, scale and shift from the raw moments of both domains.
Autograd sees only the batch and the layer's parameters. Of all intermediate values only the raw moments
are kept, because the backward pass runs the rule again.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rn_model.layers.affine_map import CenteredAffine
from rn_model.layers.distributed import all_reduce_sum
from rn_model.layers.moments import Moments

Coefficients = Mapping[str, Tensor]
Rule = Callable[[Moments, Moments, Coefficients], tuple[CenteredAffine, CenteredAffine]]


@dataclass(frozen=True)
class RawMoments:
    """Raw moments of one domain, as the rule gets them.

    Attributes:
        moments: mean and variance, each ``(C,)``.
        values: number of values per channel, over all processes, that they were computed from; 0 if
            they do not depend on the batch.
        correction: the variance is a sum of squares divided by ``values - correction``.
    """

    moments: Moments
    values: int
    correction: int

    def unbiased(self) -> Moments:
        """The same moments with the variance divided by ``values - 1``."""
        factor = (self.values - self.correction) / (self.values - 1)
        return Moments(self.moments.mean, factor * self.moments.variance)


def normalize_domains(
    x: Tensor,
    source: int,
    raw: tuple[RawMoments, RawMoments],
    rule: Rule,
    coefficients: Coefficients,
) -> Tensor:
    """Normalize a batch of two domains with raw moments that may come from the batch itself.

    Args:
        x: activations ``(N, C, *)``, source images first.
        source: number of source images.
        raw: raw moments of source and target. The gradient flows through those that were computed from
            the batch, in all processes that contributed to them.
        rule: function from the raw moments of source and target to the map of each domain.
        coefficients: further arguments of the rule, by name.

    Returns:
        The normalized activations, ``(N, C, *)``, in the dtype of ``x``.
    """
    names = tuple(coefficients)
    y: Tensor = _NormalizeDomains.apply(  # type: ignore[no-untyped-call]
        x, source, raw, rule, names, *coefficients.values()
    )
    return y


class _NormalizeDomains(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        source: int,
        raw: tuple[RawMoments, RawMoments],
        rule: Rule,
        names: tuple[str, ...],
        *coefficients: Tensor,
    ) -> Tensor:
        ctx.source, ctx.raw, ctx.rule, ctx.names = source, raw, rule, names
        ctx.save_for_backward(x, *coefficients)
        named = dict(zip(names, coefficients, strict=True))
        with _no_autocast(x):
            maps = rule(raw[0].moments, raw[1].moments, named)
        y = torch.empty_like(x)
        for part, out, affine in zip(_parts(x, source), _parts(y, source), maps, strict=True):
            _apply(part, affine, out)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, *coefficients = ctx.saved_tensors
        with torch.enable_grad(), _no_autocast(x):
            moments = [Moments(*map(_leaf, raw.moments)) for raw in ctx.raw]
            leaves = [_leaf(value) for value in coefficients]
            maps = ctx.rule(moments[0], moments[1], dict(zip(ctx.names, leaves, strict=True)))
        gy = _like(gy, x)
        xs, gys = _parts(x, ctx.source), _parts(gy, ctx.source)
        found = _gradients(xs, gys, maps, [*moments[0], *moments[1], *leaves])
        gx = None
        if ctx.needs_input_grad[0]:
            # The moments are those of all processes, and so are the gradients through them.
            joint = all_reduce_sum(torch.stack(found[:4])).unbind()
            gx = torch.empty_like(x)
            outs = _parts(gx, ctx.source)
            for i in range(2):
                through = Moments(*joint[2 * i : 2 * i + 2])
                _gradient_of_input(xs[i], gys[i], maps[i].scale, ctx.raw[i], through, outs[i])
        return (gx, None, None, None, None, *found[4:])


def _gradients(
    xs: tuple[Tensor, Tensor],
    gys: tuple[Tensor, Tensor],
    maps: tuple[CenteredAffine, CenteredAffine],
    wanted: list[Tensor],
) -> list[Tensor]:
    """Gradients with respect to ``wanted``, from the gradients with respect to the output."""
    pairs = [
        (value, gradient)
        for x, gy, affine in zip(xs, gys, maps, strict=True)
        if len(x)
        for value, gradient in zip(affine, _gradient_of_map(x, gy, affine), strict=True)
        if value.requires_grad
    ]
    outputs, gradients = zip(*pairs, strict=True)
    found = torch.autograd.grad(
        outputs, wanted, gradients, allow_unused=True, materialize_grads=True
    )
    return list(found)


def _gradient_of_map(x: Tensor, gy: Tensor, affine: CenteredAffine) -> list[Tensor]:
    """Gradients with respect to center, scale and shift, from one pass over ``x`` and ``gy``."""
    center, scale, shift = (v.detach() for v in affine)
    dtype = statistics_dtype(x)
    one = torch.ones_like(center, dtype=dtype)
    _, g_scale, g_shift = torch.ops.aten.native_batch_norm_backward(
        gy, x, one, None, None, center.to(dtype), one, True, 0.0, [False, True, True]
    )
    return [-scale * g_shift, g_scale.to(scale.dtype), g_shift.to(shift.dtype)]


def _gradient_of_input(
    x: Tensor, gy: Tensor, scale: Tensor, raw: RawMoments, gradient: Moments, out: Tensor
) -> None:
    """Write the gradient with respect to ``x``, directly and through the raw moments, into ``out``."""
    if not len(x):
        return
    shape = [1, -1] + [1] * (x.dim() - 2)
    scale = scale.detach().to(statistics_dtype(x)).view(shape)
    if raw.values == 0:
        torch.mul(gy, scale, out=out)
        return
    slope = 2 * gradient.variance / (raw.values - raw.correction)
    _apply(x, CenteredAffine(raw.moments.mean, slope, gradient.mean / raw.values), out)
    out.addcmul_(gy, scale.to(out.dtype))


def _apply(x: Tensor, affine: CenteredAffine, out: Tensor) -> None:
    """Write ``scale * (x - center) + shift`` into ``out`` in one pass."""
    if not len(x):
        return
    center, scale, shift = affine.to(statistics_dtype(x))
    # BatchNorm's kernel in evaluation mode, with eps 0 and variance 1, computes this map.
    unused = (center.new_empty(0), center.new_empty(0))
    torch.native_batch_norm(
        x, scale, shift, center, torch.ones_like(center), False, 0.0, 0.0, out=(out, *unused)
    )


def _parts(x: Tensor, source: int) -> tuple[Tensor, Tensor]:
    return x[:source], x[source:]


def _like(gy: Tensor, x: Tensor) -> Tensor:
    """The gradient in the memory layout of the input, with which the kernels are fastest."""
    return gy if gy.stride() == x.stride() else torch.empty_like(x).copy_(gy)


def _leaf(value: Tensor) -> Tensor:
    return value.detach().requires_grad_(value.is_floating_point())


def statistics_dtype(x: Tensor) -> torch.dtype:
    """The dtype in which moments of ``x`` are computed: its own, or float32 for half precision."""
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype


def _no_autocast(x: Tensor) -> AbstractContextManager[None]:
    return torch.autocast(x.device.type, enabled=False)
