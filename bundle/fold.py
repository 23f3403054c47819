"""Folds a per-channel scale and shift into the layer before or after it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Site
from bundle.moments import Vector

Array = NDArray[np.float32]


def along_channels(vector: Vector, shape: Sequence[int], axis: int, groups: int) -> NDArray[Any]:
    """A per-channel vector in a shape that broadcasts against a layer's weight.

    With one group the channels lie along ``axis``. With more, ``axis`` holds the channels of one group,
    and the groups follow one another along the other of the first two axes.

    Args:
        vector: ``(C,)``.
        shape: of the weight.
    """
    trailing = [1] * (len(shape) - 2)
    if groups == 1:
        sides = [1, 1]
        sides[axis] = len(vector)
        return vector.reshape(sides + trailing)
    rows = vector.reshape(groups, -1).repeat(shape[1 - axis] // groups, axis=0)
    return (rows if axis == 1 else rows.T).reshape(*shape[:2], *trailing)


def fold_output(
    weight: Array, bias: Array, scale: Vector, shift: Vector, axis: int, groups: int = 1
) -> tuple[Array, Array]:
    """Weight and bias of the layer that computes ``scale * (weight * x + bias) + shift``.

    Args:
        weight: of a convolution or linear layer, output channels along ``axis``.
        bias: ``(C,)``.
        scale, shift: ``(C,)``.
        groups: as :func:`along_channels` takes them; of a transposed convolution.

    Returns:
        ``scale * weight`` and ``scale * bias + shift``, computed in float64.
    """
    folded_weight = _times(weight, along_channels(scale, weight.shape, axis, groups))
    folded_bias = bias.astype(np.float64) * scale + shift
    return folded_weight, folded_bias.astype(np.float32)


def fold_input(
    weight: Array, bias: Array, scale: Vector, shift: Vector, axis: int, groups: int = 1
) -> tuple[Array, Array]:
    """Weight and bias of the layer that computes ``weight * (scale * x + shift) + bias``.

    Args:
        weight: of a convolution without padding or of a linear layer, input channels along ``axis``.
        bias: one for each output channel, which lie along the other of the first two axes.
        scale, shift: ``(C,)``.
        groups: as :func:`along_channels` takes them; of a convolution.

    Returns:
        ``weight * scale`` and ``bias`` plus the sum of ``weight * shift`` over all axes but that of the
        output channels, computed in float64.
    """
    exact = weight.astype(np.float64)
    others = tuple(other for other in range(weight.ndim) if other != 1 - axis)
    shifted = (exact * along_channels(shift, weight.shape, axis, groups)).sum(axis=others)
    folded_weight = _times(weight, along_channels(scale, weight.shape, axis, groups))
    folded_bias = bias.astype(np.float64) + shifted
    return folded_weight, folded_bias.astype(np.float32)


def _times(weight: Array, factor: NDArray[Any]) -> Array:
    """The product, computed in float64 without an array of float64 as large as the weight."""
    found = np.empty(weight.shape, np.float32)
    np.multiply(weight, factor, out=found, dtype=np.float64, casting="same_kind")
    return found


def site_problem(site: Site, shapes: Mapping[str, Sequence[int]]) -> str | None:
    """Why a site cannot be folded into arrays of these shapes, in words; None if it can.

    Args:
        shapes: of the arrays that the site names.
    """
    if site.weight is None or site.bias is None:
        for name in site.arrays:
            if list(shapes[name]) != [site.channels, *[1] * (len(shapes[name]) - 1)]:
                return f"{name!r} must hold {site.channels} channels, not shape {shapes[name]}"
        return None
    weight, bias = shapes[site.weight], shapes[site.bias]
    if (
        len(weight) < 2
        or weight[site.axis] * site.groups != site.channels
        or weight[1 - site.axis] % site.groups
    ):
        return (
            f"{site.weight!r} must have {site.channels} channels along axis {site.axis} in"
            f" {site.groups} groups, not shape {weight}"
        )
    outputs = site.channels if site.side == "output" else weight[1 - site.axis]
    if list(bias) != [outputs]:
        return f"{site.bias!r} must have shape ({outputs},), not {bias}"
    return None


def fold_site(
    site: Site, base: Mapping[str, Array], scale: Vector, shift: Vector
) -> dict[str, Array]:
    """The initializers of ``predict.onnx`` that a site determines.

    Args:
        site: where the site went.
        base: unfolded arrays by initializer name; for an explicit site, arrays of the shape that its
            scale and shift have in the graph.
        scale, shift: flat vectors of all sites.
    """
    own_scale, own_shift = scale[site.slice], shift[site.slice]
    if site.weight is not None and site.bias is not None:
        fold = fold_output if site.side == "output" else fold_input
        weight, bias = fold(
            base[site.weight], base[site.bias], own_scale, own_shift, site.axis, site.groups
        )
        return {site.weight: weight, site.bias: bias}
    assert site.scale is not None
    assert site.shift is not None
    return {
        site.scale: own_scale.astype(np.float32).reshape(base[site.scale].shape),
        site.shift: own_shift.astype(np.float32).reshape(base[site.shift].shape),
    }


def fold_sites(
    sites: Sequence[Site], base: Mapping[str, Array], scale: Vector, shift: Vector
) -> dict[str, Array]:
    """:func:`fold_site` over all sites."""
    folded: dict[str, Array] = {}
    for site in sites:
        folded.update(fold_site(site, base, scale, shift))
    return folded
