"""Assembles the files of a bundle from a network: three graphs and their arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn

from bundle import files
from bundle.fold import Array, fold_sites
from bundle.interface import (
    COMPENSATE_INPUTS,
    COMPENSATE_OUTPUTS,
    PREDICT_INPUTS,
    PREDICT_OUTPUTS,
)
from bundle.manifest import Site
from bundle.moments import FlatMoments
from bundle.runtime import make_session
from export.folding.folded_graph import fold_graph
from export.graphs.constant_weights import compute_weights
from export.graphs.editing import forget_shapes
from export.graphs.external_arrays import float_initializers, keep_apart, pack, serialize
from export.graphs.tracing import image_dimensions, trace
from export.network.affine_nodes import find_affine_nodes
from export.network.composition import compose_compensate, compose_observe
from export.network.explicit_network import ExplicitNetwork
from export.network.pixel_scaling import PixelScaling
from export.network.sites import NormSite
from export.network.templates import trace_templates
from rn_model.layers.shrinkage import Spread


@dataclass(frozen=True)
class Assembly:
    """Graphs and arrays of one network.

    Attributes:
        contents: content of the files that hold graphs and arrays, by file name.
        table: the normalization sites as the manifest lists them.
        arrays: folded initializers of ``predict.onnx``.
        observe_arrays: initializers of ``observe.onnx``.
        unfolded: arrays that folding starts from.
        moments: target moments that were folded.
    """

    contents: dict[str, bytes]
    table: list[Site]
    arrays: dict[str, Array]
    observe_arrays: dict[str, Array]
    unfolded: dict[str, Array]
    moments: FlatMoments


def assemble(
    model: nn.Module,
    sites: list[NormSite],
    scaling: PixelScaling,
    example: Tensor,
    spreads: Sequence[Spread],
    free_size: bool = False,
) -> Assembly:
    """Trace, fold and pack a network.

    Args:
        model: network in evaluation mode, on the CPU.
        sites: its normalization layers.
        scaling: maps pixels to the input of the network.
        example: pixels ``(N, H, W, C)`` uint8 with ``N`` at least 2.
        spreads: how much images differ at each site.
        free_size: whether the graphs take images of any height and width.

    Raises:
        ExportError: if the network cannot be traced.
    """
    # The tracer treats a size of 1 as fixed, and deep layers have that size on the smallest images.
    larger = example.repeat(1, 2, 2, 1) if free_size else example
    predict = _trace_network(model, sites, scaling, larger, free_size)
    templates = trace_templates(sites, spreads, example, free_size)
    observe = predict.clone()
    nodes = find_affine_nodes(sites, *_affine_inputs(observe))
    compose_observe(observe, sites, nodes, templates, spreads)
    compensate = serialize(compose_compensate(sites, templates, spreads))
    table, unfolded = fold_graph(predict, sites, *_affine_inputs(predict))
    if free_size:
        forget_shapes(predict.graph)
        forget_shapes(observe.graph)

    moments = _flat([site.layer.running("target") for site in sites])
    inputs = dict(zip(COMPENSATE_INPUTS, (*moments, np.array(0.0)), strict=True))
    scale, shift = make_session(compensate, {}).run(list(COMPENSATE_OUTPUTS), inputs)
    arrays = float_initializers(predict)
    arrays.update(fold_sites(table, {**arrays, **unfolded}, scale, shift))

    keep_apart(observe, unfolded)
    observe_arrays = float_initializers(observe)
    base: dict[str, Any] = {**observe_arrays, **unfolded}
    source = _flat([site.layer.running("source") for site in sites])
    base |= {files.TARGET_MEAN: moments.mean, files.TARGET_VARIANCE: moments.variance}
    base |= {files.SOURCE_MEAN: source.mean, files.SOURCE_VARIANCE: source.variance}
    weights, base_file = pack(arrays), pack(base)
    contents = {
        files.PREDICT: serialize(predict, {files.PREDICT_WEIGHTS: weights}),
        files.PREDICT_WEIGHTS: weights,
        files.OBSERVE: serialize(observe, {files.BASE: base_file}),
        files.COMPENSATE: compensate,
        files.BASE: base_file,
    }
    return Assembly(contents, table, arrays, observe_arrays, {**arrays, **unfolded}, moments)


def _trace_network(
    model: nn.Module, sites: list[NormSite], scaling: PixelScaling, example: Tensor, free_size: bool
) -> ir.Model:
    """Graph that maps an image, and the scales and shifts of all sites, to logits."""
    scales = [torch.ones(site.broadcast_shape) for site in sites]
    shifts = [torch.zeros(site.broadcast_shape) for site in sites]
    names = [f"{kind}_{i}" for kind in ("scale", "shift") for i in range(len(sites))]
    traced = trace(
        ExplicitNetwork(model, sites, scaling),
        (example, scales, shifts),
        [*PREDICT_INPUTS, *names],
        PREDICT_OUTPUTS,
        [image_dimensions(free_size), None, None],
    )
    compute_weights(traced)
    return traced


def _affine_inputs(model: ir.Model) -> tuple[list[ir.Value], list[ir.Value]]:
    values = list(model.graph.inputs)[1:]
    return values[: len(values) // 2], values[len(values) // 2 :]


def _flat(moments: Sequence[tuple[Tensor, Tensor]]) -> FlatMoments:
    means, variances = zip(*moments, strict=True)
    return FlatMoments(torch.cat(means).double().numpy(), torch.cat(variances).double().numpy())
