"""Folds a per-channel scale and shift into the layer before it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Site
from bundle.moments import Vector

Array = NDArray[np.float32]


def fold_affine(
    weight: Array, bias: Array, scale: Vector, shift: Vector, axis: int
) -> tuple[Array, Array]:
    """Weight and bias of the layer that computes ``scale * (weight * x + bias) + shift``.

    Args:
        weight: of a convolution or linear layer, output channels along ``axis``.
        bias: ``(C,)``.
        scale, shift: ``(C,)``.

    Returns:
        ``scale * weight`` and ``scale * bias + shift``, computed in float64.
    """
    shape = [1] * weight.ndim
    shape[axis] = -1
    folded_weight = weight.astype(np.float64) * scale.reshape(shape)
    folded_bias = bias.astype(np.float64) * scale + shift
    return folded_weight.astype(np.float32), folded_bias.astype(np.float32)


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
        weight, bias = fold_affine(
            base[site.weight], base[site.bias], own_scale, own_shift, site.axis
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
