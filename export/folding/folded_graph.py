"""Folds the scale and shift of every site of a graph into the layer before or after it."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from bundle.fold import Array
from bundle.manifest import Site
from export.folding.adjacent_layers import AdjacentLayer, layer_after, layer_before
from export.graphs.editing import add_initializer
from export.network.affine_nodes import AffineNodes, find_affine_nodes
from export.network.sites import NormSite


def fold_graph(
    model: ir.Model,
    sites: Sequence[NormSite],
    scales: Sequence[ir.Value],
    shifts: Sequence[ir.Value],
) -> tuple[list[Site], dict[str, Array]]:
    """Remove the Mul and Add of every site that can be folded into a convolution or linear layer.

    A site is folded into the layer before it if nothing else uses that layer's output; otherwise into
    the layer after it, if that layer does not pad its input and nothing else uses the site's output. At
    most one site is folded into each layer. The other sites keep their Mul and Add; scale and shift become
    initializers.

    Args:
        model: graph that maps images, scales and shifts to logits; changed in place.
        sites: sites in the order of ``scales`` and ``shifts``.
        scales, shifts: inputs of the graph; removed from it.

    Returns:
        The sites as the manifest lists them, and the unfolded weights and biases by initializer name. The
        initializers of these names in the graph are still unfolded.
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


def _choose(sites: Sequence[NormSite], nodes: Sequence[AffineNodes]) -> dict[str, AdjacentLayer]:
    """Choose the layer that each site is folded into, by site name."""
    chosen: dict[str, AdjacentLayer] = {}
    taken: set[ir.Node] = set()
    pairs = list(zip(sites, nodes, strict=True))
    for find in (layer_before, layer_after):
        for site, pair in pairs:
            layer = None if site.name in chosen else find(site, pair)
            if layer is not None and layer.node not in taken:
                chosen[site.name] = layer
                taken.add(layer.node)
    return chosen


def _fold_into(
    graph: ir.Graph, layer: AdjacentLayer, site: NormSite, base: dict[str, Array]
) -> Site:
    weight = _own(graph, layer.weight, f"{site.name}.folded_weight", _array(layer.weight))
    zeros = np.zeros(layer.outputs, np.float32)
    array = zeros if layer.bias is None else _array(layer.bias)
    bias = _own(graph, layer.bias, f"{site.name}.folded_bias", array)
    layer.set_parameters(weight, bias)
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
    """The initializer itself if nothing else uses it, otherwise a copy for this site.

    The tracer merges initializers with equal values, which are no longer equal after folding.
    """
    if value is not None and len(value.uses()) == 1:
        return value
    return add_initializer(graph, name, array)


def _array(value: ir.Value) -> Array:
    assert value.const_value is not None
    return np.array(value.const_value.numpy(), dtype=np.float32)
