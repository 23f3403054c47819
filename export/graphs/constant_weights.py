"""Computes at export the weights that a graph would otherwise compute in every run."""

import sys
from collections.abc import Iterable

import onnx_ir as ir
from onnxscript.optimizer import fold_constants

_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def compute_weights(model: ir.Model) -> None:
    """Replace weights that are computed from constants alone by constants, in place.

    Sites can then be folded into layers with weight normalization or weight standardization. The tracer
    does this for small arrays only.
    """
    fixed = _fixed_nodes(model.graph)
    layers = (node for node in model.graph if node.op_type in _LAYERS)
    needed = _leading_to((value for node in layers for value in node.inputs[1:]), fixed)
    if needed:
        fold_constants(
            model,
            should_fold=lambda node: node in needed,
            input_size_limit=sys.maxsize,
            output_size_limit=sys.maxsize,
        )


def _fixed_nodes(graph: ir.Graph) -> set[ir.Node]:
    """Nodes whose outputs do not depend on any input of the graph."""
    fixed: set[ir.Node] = set()
    for node in graph:
        values = (value for value in node.inputs if value is not None)
        if all(value.const_value is not None or value.producer() in fixed for value in values):
            fixed.add(node)
    return fixed


def _leading_to(values: Iterable[ir.Value | None], among: set[ir.Node]) -> set[ir.Node]:
    """Those of the nodes in ``among`` that these values are computed from."""
    found: set[ir.Node] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        node = None if value is None else value.producer()
        if node is not None and node in among and node not in found:
            found.add(node)
            waiting += node.inputs
    return found
