"""Builds the files of a bundle from a network: three graphs and their arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn

from bundle import files
from bundle.fold import Array, fold_sites
from bundle.manifest import Site
from bundle.moments import FlatMoments
from bundle.signature import (
    COMPENSATE_INPUTS,
    COMPENSATE_OUTPUTS,
    OBSERVE_INPUTS,
    OBSERVE_OUTPUTS,
    PREDICT_INPUTS,
    PREDICT_OUTPUTS,
)
from export.externalize import float_initializers, keep_apart, pack, serialize
from export.folding import fold_graph
from export.graphs import CompensateGraph, ObserveGraph, PredictGraph, Scaling
from export.sites import NormSite
from export.tracing import trace


@dataclass(frozen=True)
class Assembly:
    """What a network becomes.

    Attributes:
        contents: the files of the bundle that hold graphs and arrays.
        table: where every normalization site went.
        arrays: the folded initializers of ``predict.onnx``.
        observe_arrays: the initializers of ``observe.onnx``.
        moments: the target moments that were folded.
    """

    contents: dict[str, bytes]
    table: list[Site]
    arrays: dict[str, Array]
    observe_arrays: dict[str, Array]
    moments: FlatMoments


def assemble(
    model: nn.Module, sites: list[NormSite], scaling: Scaling, example: Tensor
) -> Assembly:
    """Trace, fold and pack a network.

    Args:
        model: in evaluation mode, on the CPU.
        sites: its normalization layers.
        scaling: from pixels to the network's input.
        example: pixels ``(N, H, W, C)`` uint8 with ``N`` at least 2.
    """
    moments = _target_moments(sites)
    predict, table, unfolded = _trace_predict(model, sites, scaling, example)
    arrays = float_initializers(predict)
    scale, shift = CompensateGraph(sites)(*(torch.from_numpy(value) for value in moments))
    folded = fold_sites(table, {**arrays, **unfolded}, scale.numpy(), shift.numpy())
    arrays.update(folded)

    observe = _trace_observe(model, sites, scaling, example, moments)
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
        files.COMPENSATE: serialize(_trace_compensate(sites, moments)),
        files.BASE: base_file,
    }
    return Assembly(contents, table, arrays, observe_arrays, moments)


def _trace_predict(
    model: nn.Module, sites: list[NormSite], scaling: Scaling, example: Tensor
) -> tuple[ir.Model, list[Site], dict[str, Array]]:
    scales = [torch.ones(site.broadcast_shape) for site in sites]
    shifts = [torch.zeros(site.broadcast_shape) for site in sites]
    names = [f"{kind}_{i}" for kind in ("scale", "shift") for i in range(len(sites))]
    graph = trace(
        PredictGraph(model, sites, scaling),
        (example, scales, shifts),
        [*PREDICT_INPUTS, *names],
        PREDICT_OUTPUTS,
        [True, False, False],
    )
    inputs = list(graph.graph.inputs)[1:]
    table, unfolded = fold_graph(graph, sites, inputs[: len(sites)], inputs[len(sites) :])
    return graph, table, unfolded


def _trace_observe(
    model: nn.Module, sites: list[NormSite], scaling: Scaling, example: Tensor, prior: FlatMoments
) -> ir.Model:
    return trace(
        ObserveGraph(model, sites, scaling),
        (
            example,
            torch.ones(len(example)),
            torch.tensor(1.0),
            torch.from_numpy(prior.mean).float(),
            torch.from_numpy(prior.variance).float(),
        ),
        OBSERVE_INPUTS,
        OBSERVE_OUTPUTS,
        [True, True, False, False, False],
    )


def _trace_compensate(sites: list[NormSite], moments: FlatMoments) -> ir.Model:
    inputs = tuple(torch.from_numpy(value) for value in moments)
    return trace(
        CompensateGraph(sites), inputs, COMPENSATE_INPUTS, COMPENSATE_OUTPUTS, [False, False]
    )


def _target_moments(sites: list[NormSite]) -> FlatMoments:
    return _flat([site.layer.running("target") for site in sites])


def _flat(moments: Sequence[tuple[Tensor, Tensor]]) -> FlatMoments:
    means, variances = zip(*moments, strict=True)
    return FlatMoments(torch.cat(means).double().numpy(), torch.cat(variances).double().numpy())
