"""Folds the explicit scale and shift of every site into a layer beside it, on the graph itself."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from bundle.fold import Array
from bundle.manifest import Site
from export.folding.adjacent_layers import Layer, layer_after, layer_before
from export.graphs.editing import add_initializer
from export.network.affine_nodes import AffineNodes, find_affine_nodes
from export.network.sites import NormSite


def fold_graph(
    model: ir.Model,
    sites: Sequence[NormSite],
    scales: Sequence[ir.Value],
    shifts: Sequence[ir.Value],
) -> tuple[list[Site], dict[str, Array]]:
    """Remove the Mul and Add of every site that a convolution or linear layer beside it can take up.

    The layer before a site takes it up where nothing else sees that layer's output; else the layer
    after it, where that adds no padding and nothing else sees the site's output. A layer takes up one
    site. Sites where neither can be keep Mul and Add; their scale and shift become initializers.

    Args:
        model: changed in place.
        sites: in the order of ``scales`` and ``shifts``, which are inputs of the graph.

    Returns:
        Where every site went, and the unfolded weights and biases by initializer name. The graph's
        own initializers of these names hold them unfolded too.
    """
    nodes = find_affine_nodes(sites, scales, shifts)
    chosen = _choose(sites, nodes)
    table: list[Site] = []
    base: dict[str, Array] = {}
    for site, pair in zip(sites, nodes, strict=True):
        if site.name in chosen:
            table.append(_fold_into(model.graph, chosen[site.name], site, base))
            pair.replace_by(pair.value)
        else:
            table.append(_keep(model.graph, site, pair))
    for value in [*scales, *shifts]:
        model.graph.inputs.remove(value)
    RemoveUnusedNodesPass()(model)
    return table, base


def _choose(sites: Sequence[NormSite], nodes: Sequence[AffineNodes]) -> dict[str, Layer]:
    """The layer that takes up each site, by the site's name."""
    chosen: dict[str, Layer] = {}
    taken: set[ir.Node] = set()
    pairs = list(zip(sites, nodes, strict=True))
    for find in (layer_before, layer_after):
        for site, pair in pairs:
            layer = None if site.name in chosen else find(site, pair)
            if layer is not None and layer.node not in taken:
                chosen[site.name] = layer
                taken.add(layer.node)
    return chosen


def _fold_into(graph: ir.Graph, layer: Layer, site: NormSite, base: dict[str, Array]) -> Site:
    weight = _own(graph, layer.weight, f"{site.name}.folded_weight", _array(layer.weight))
    zeros = np.zeros(layer.outputs, np.float32)
    array = zeros if layer.bias is None else _array(layer.bias)
    bias = _own(graph, layer.bias, f"{site.name}.folded_bias", array)
    layer.take(weight, bias)
    for value in (weight, bias):
        base[str(value.name)] = _array(value)
    return Site(
        name=site.name,
        channels=site.channels,
        offset=site.offset,
        weight=weight.name,
        bias=bias.name,
        side=layer.side,
        axis=layer.axis,
        groups=layer.groups,
    )


def _keep(graph: ir.Graph, site: NormSite, pair: AffineNodes) -> Site:
    named = {}
    for kind, value in (("scale", pair.scale), ("shift", pair.shift)):
        array = np.ones(site.broadcast_shape, np.float32)
        named[kind] = add_initializer(graph, f"{site.name}.{kind}", array)
        ir.convenience.replace_all_uses_with(value, named[kind])
    return Site(
        name=site.name,
        channels=site.channels,
        offset=site.offset,
        scale=named["scale"].name,
        shift=named["shift"].name,
    )


def _own(graph: ir.Graph, value: ir.Value | None, name: str, array: Array) -> ir.Value:
    """The initializer itself if nothing else uses it, else one of the site's own.

    Tracing merges initializers of equal values, which stop being equal once they are folded.
    """
    if value is not None and len(value.uses()) == 1:
        return value
    return add_initializer(graph, name, array)


def _array(value: ir.Value) -> Array:
    assert value.const_value is not None
    return np.array(value.const_value.numpy(), dtype=np.float32)
