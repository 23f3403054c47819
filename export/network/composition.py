"""Composes ``observe.onnx`` and ``compensate.onnx`` from traced graphs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from onnx_ir.passes.common import RemoveUnusedNodesPass

from bundle.interface import (
    BATCH,
    COMPENSATE_INPUTS,
    COMPENSATE_OUTPUTS,
    FEATURES,
    OBSERVE_INPUTS,
    OBSERVE_OUTPUTS,
)
from export.graphs.editing import add_initializer, concatenate, insert_copy, make_value, split
from export.graphs.tracing import OPSET
from export.network.affine_nodes import AffineNodes
from export.network.sites import NormSite
from export.network.templates import Templates, kind, state
from rn_model.layers.shrinkage import Relations, Spread

IR_VERSION = 10


def compose_observe(
    model: ir.Model,
    sites: Sequence[NormSite],
    nodes: Sequence[AffineNodes],
    templates: Templates,
    spreads: Sequence[Spread],
) -> None:
    """Turn a traced network into ``observe.onnx``, in place.

    Every site normalizes with the merged moments of prior and batch, shrunk towards its base moments, as
    the torch layer does under an :class:`rn_model.layers.observation.Observation`.

    Args:
        model: graph from image to logits; its last inputs are the scales and shifts of the sites.
        sites: normalization sites of the network.
        nodes: Mul and Add of every site in the graph.
        templates: traced layers that replace them.
        spreads: how much images differ at each site.
    """
    graph = model.graph
    image = graph.inputs[0]
    _free_names(graph, {*OBSERVE_INPUTS, *OBSERVE_OUTPUTS} - {str(v.name) for v in graph.outputs})
    sizes = [site.channels for site in sites]
    shapes: list[list[int | str]] = [[BATCH], [], [sum(sizes)], [sum(sizes)]]
    named = zip(OBSERVE_INPUTS[1:], shapes, strict=True)
    image_weight, prior_weight, mean, variance = (
        make_value(name, ir.DataType.FLOAT, shape) for name, shape in named
    )
    priors = zip(split(graph, mean, sizes), split(graph, variance, sizes), strict=True)
    seen: list[list[ir.Value]] = []
    for site, pair, prior, spread in zip(sites, nodes, priors, spreads, strict=True):
        constants = [
            *_add_spread(graph, site, spread, np.float32),
            *_state(graph, site, np.float32),
        ]
        given = [pair.value, image_weight, prior_weight, *prior, *constants]
        piece = templates.observe[kind(site, spread)]
        y, *batch = insert_copy(graph, piece, given, site.name, before=pair.multiply)
        pair.replace_by(y)
        seen.append(batch)
    graph.inputs[1:] = [image_weight, prior_weight, mean, variance]
    (features,) = insert_copy(graph, templates.features, [image], "features")
    _, *names = OBSERVE_OUTPUTS
    for values, name in zip(zip(*seen, strict=True), names[:2], strict=True):
        value = concatenate(graph, values, name)
        _give(graph, value, name, ir.DataType.FLOAT, [sum(sizes)])
    _give(graph, features, names[2], ir.DataType.FLOAT, [BATCH, len(FEATURES)])
    RemoveUnusedNodesPass()(model)


def compose_compensate(
    sites: Sequence[NormSite], templates: Templates, spreads: Sequence[Spread]
) -> ir.Model:
    """Compose ``compensate.onnx``: from raw target moments to scale and shift, flat vectors in float64."""
    sizes = [site.channels for site in sites]
    shapes: list[list[int | str]] = [[sum(sizes)], [sum(sizes)], []]
    inputs = [
        make_value(name, ir.DataType.DOUBLE, shape)
        for name, shape in zip(COMPENSATE_INPUTS, shapes, strict=True)
    ]
    graph = ir.Graph(inputs, [], nodes=[], opset_imports={"": OPSET}, name="compensate")
    *vectors, count = inputs
    moments = zip(*(split(graph, value, sizes) for value in vectors), strict=True)
    found = [
        insert_copy(
            graph,
            templates.compensate[kind(site, spread)],
            [
                *own,
                count,
                *_add_spread(graph, site, spread, np.float64),
                *_state(graph, site, np.float64),
            ],
            site.name,
        )
        for site, own, spread in zip(sites, moments, spreads, strict=True)
    ]
    for name, values in zip(COMPENSATE_OUTPUTS, zip(*found, strict=True), strict=True):
        value = concatenate(graph, values, name)
        _give(graph, value, name, ir.DataType.DOUBLE, [sum(sizes)])
    model = ir.Model(graph, ir_version=IR_VERSION)
    RemoveUnusedNodesPass()(model)
    return model


def _free_names(graph: ir.Graph, names: set[str]) -> None:
    """Rename the values of the network that have these names."""
    for node in graph:
        for value in node.outputs:
            if value.name in names:
                value.name = f"network/{value.name}"


def _give(
    graph: ir.Graph, value: ir.Value, name: str, dtype: ir.DataType, shape: list[int | str]
) -> None:
    """Make a value an output of the graph."""
    value.name, value.type, value.shape = name, ir.TensorType(dtype), ir.Shape(shape)
    graph.outputs.append(value)


def _add_spread(graph: ir.Graph, site: NormSite, spread: Spread, dtype: Any) -> list[ir.Value]:
    """Add how much images differ at a site, and how its channels are related, as initializers."""
    names = ("spread", *Relations._fields)
    tensors = spread.tensors(torch.float64)
    return [
        add_initializer(graph, f"network.{site.name}.{name}", value.numpy().astype(dtype))
        for name, value in zip(names, tensors, strict=False)
    ]


def _state(graph: ir.Graph, site: NormSite, dtype: Any) -> list[ir.Value]:
    """Add the parameters and buffers of a layer as initializers, with one dtype for all floats."""
    values = []
    for name, tensor in state(site.layer).items():
        array = tensor.detach().numpy()
        array = array.astype(dtype) if tensor.is_floating_point() else array
        values.append(add_initializer(graph, f"network.{site.name}.{name}", array))
    return values
