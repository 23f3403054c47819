"""Folds a per-channel scale and shift into the layer before or after it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Site
from bundle.moments import Vector

Array = NDArray[np.float32]


def along_channels(vector: Vector, shape: Sequence[int], axis: int, groups: int) -> NDArray[Any]:
    """Reshape a per-channel vector so that it broadcasts against a layer's weight.

    With one group the channels lie along ``axis``. With several, ``axis`` holds the channels of one
    group, and the groups follow each other along the other of the first two axes.

    Args:
        vector: values ``(C,)``.
        shape: shape of the weight.
        axis: axis of the channels in the weight, 0 or 1.
        groups: number of groups into which the layer divides the channels.
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
        weight: weight of a convolution or linear layer, output channels along ``axis``.
        bias: values ``(C,)``.
        scale, shift: values ``(C,)``.
        axis, groups: see :func:`along_channels`; only a transposed convolution has several groups here.

    Returns:
        ``scale * weight`` and ``scale * bias + shift``, computed in float64.

    Example:
        >>> weight, bias = np.ones((2, 1), np.float32), np.zeros(2, np.float32)
        >>> scale, shift = np.array([2.0, 3.0]), np.array([0.0, 1.0])
        >>> weight, bias = fold_output(weight, bias, scale, shift, axis=0)
        >>> weight.tolist(), bias.tolist()
        ([[2.0], [3.0]], [0.0, 1.0])
    """
    folded_weight = _times(weight, along_channels(scale, weight.shape, axis, groups))
    folded_bias = bias.astype(np.float64) * scale + shift
    return folded_weight, folded_bias.astype(np.float32)


def fold_input(
    weight: Array, bias: Array, scale: Vector, shift: Vector, axis: int, groups: int = 1
) -> tuple[Array, Array]:
    """Weight and bias of the layer that computes ``weight * (scale * x + shift) + bias``.

    Args:
        weight: weight of a linear layer, or of a convolution without padding, input channels along
            ``axis``.
        bias: one value per output channel. The output channels lie along the other of the first two
            axes.
        scale, shift: values ``(C,)``.
        axis, groups: see :func:`along_channels`; only a convolution has several groups here.

    Returns:
        ``weight * scale``, and ``bias`` plus the sum of ``weight * shift`` over all axes except that of
        the output channels; computed in float64.
    """
    exact = weight.astype(np.float64)
    others = tuple(other for other in range(weight.ndim) if other != 1 - axis)
    shifted = (exact * along_channels(shift, weight.shape, axis, groups)).sum(axis=others)
    folded_weight = _times(weight, along_channels(scale, weight.shape, axis, groups))
    folded_bias = bias.astype(np.float64) + shifted
    return folded_weight, folded_bias.astype(np.float32)


def _times(weight: Array, factor: NDArray[Any]) -> Array:
    """The product, computed in float64 without allocating a float64 array of the weight's size."""
    found = np.empty(weight.shape, np.float32)
    np.multiply(weight, factor, out=found, dtype=np.float64, casting="same_kind")
    return found


def site_problem(site: Site, shapes: Mapping[str, Sequence[int]]) -> str | None:
    """Reason why a site cannot be folded into arrays of these shapes; None if it can.

    Args:
        site: entry of the manifest.
        shapes: shapes of the arrays that the site names.
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
    """Compute the initializers of ``predict.onnx`` that one site determines.

    Args:
        site: entry of the manifest.
        base: unfolded arrays by initializer name. For a site that is not folded: arrays with the shapes
            that its scale and shift have in the graph.
        scale, shift: flat vectors over all sites.
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
    """Compute the initializers that the sites determine, see :func:`fold_site`."""
    folded: dict[str, Array] = {}
    for site in sites:
        folded.update(fold_site(site, base, scale, shift))
    return folded
