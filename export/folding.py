"""Folds the explicit scale and shift of every site into the layer before it, on the graph itself."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from bundle.fold import Array
from bundle.manifest import Site
from export.sites import ExportError, NormSite

_OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0}


def fold_graph(
    model: ir.Model,
    sites: Sequence[NormSite],
    scales: Sequence[ir.Value],
    shifts: Sequence[ir.Value],
) -> tuple[list[Site], dict[str, Array]]:
    """Remove the Mul and Add of every site whose input comes straight from a convolution or linear layer.

    Sites where that is not so keep them; their scale and shift become initializers.

    Args:
        model: changed in place.
        sites: in the order of ``scales`` and ``shifts``, which are inputs of the graph.

    Returns:
        Where every site went, and the unfolded weights and biases by initializer name. The graph's
        own initializers of these names hold them unfolded too.
    """
    table: list[Site] = []
    base: dict[str, Array] = {}
    for site, scale, shift in zip(sites, scales, shifts, strict=True):
        multiply, add = _consumer(scale, "Mul", site), _consumer(shift, "Add", site)
        value = _other_input(multiply, scale)
        producer = value.producer()
        if producer is not None and _foldable(producer, value, site):
            table.append(_fold_into(model.graph, producer, site, base))
            ir.convenience.replace_all_uses_with(add.outputs[0], value, replace_graph_outputs=True)
            model.graph.remove([add, multiply], safe=True)
        else:
            table.append(_keep(model.graph, site, scale, shift))
    for value in [*scales, *shifts]:
        model.graph.inputs.remove(value)
    RemoveUnusedNodesPass()(model)
    return table, base


def _consumer(value: ir.Value, op_type: str, site: NormSite) -> ir.Node:
    nodes = value.consumers()
    if len(nodes) != 1 or nodes[0].op_type != op_type:
        raise ExportError(f"the traced graph does not apply {site.name!r} once as scale and shift")
    return nodes[0]


def _other_input(node: ir.Node, one: ir.Value) -> ir.Value:
    first, second = node.inputs
    other = second if first is one else first
    assert other is not None
    return other


def _foldable(producer: ir.Node, value: ir.Value, site: NormSite) -> bool:
    """Whether the layer feeds this site and nothing else, and owns weights that can take it up."""
    if producer.op_type not in _OUTPUT_AXIS or len(value.uses()) != 1 or value.is_graph_output():
        return False
    if any(v is not None and v.const_value is None for v in producer.inputs[1:]):
        return False
    attribute = producer.attributes
    if producer.op_type == "ConvTranspose":
        return "group" not in attribute or attribute["group"].as_int() == 1
    if producer.op_type == "Gemm":
        factors = (attribute[name].as_float() for name in ("alpha", "beta") if name in attribute)
        return site.rank == 2 and all(factor == 1.0 for factor in factors)
    return True


def _fold_into(graph: ir.Graph, producer: ir.Node, site: NormSite, base: dict[str, Array]) -> Site:
    axis = _OUTPUT_AXIS[producer.op_type]
    if producer.op_type == "Gemm":
        transposed = "transB" in producer.attributes and producer.attributes["transB"].as_int() == 1
        axis = 0 if transposed else 1
    weight = producer.inputs[1]
    assert weight is not None
    bias = producer.inputs[2] if len(producer.inputs) > 2 else None
    zeros = np.zeros(site.channels, np.float32)
    own_weight = _own(graph, weight, f"{site.name}.folded_weight", _array(weight))
    own_bias = _own(
        graph, bias, f"{site.name}.folded_bias", zeros if bias is None else _array(bias)
    )
    producer.resize_inputs(3)
    producer.replace_input_with(1, own_weight)
    producer.replace_input_with(2, own_bias)
    for value in (own_weight, own_bias):
        base[str(value.name)] = _array(value)
    return Site(
        name=site.name,
        channels=site.channels,
        offset=site.offset,
        weight=own_weight.name,
        bias=own_bias.name,
        axis=axis,
    )


def _keep(graph: ir.Graph, site: NormSite, scale: ir.Value, shift: ir.Value) -> Site:
    named = {}
    for kind, value in (("scale", scale), ("shift", shift)):
        array = np.ones(site.broadcast_shape, np.float32)
        named[kind] = _own(graph, None, f"{site.name}.{kind}", array)
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
    tensor = ir.tensor(array, name=name)
    own = ir.Value(
        name=name, const_value=tensor, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype)
    )
    graph.register_initializer(own)
    return own


def _array(value: ir.Value) -> Array:
    assert value.const_value is not None
    return np.array(value.const_value.numpy(), dtype=np.float32)
