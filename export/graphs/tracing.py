"""Traces a torch module into an ONNX graph."""

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from typing import Any

import onnx_ir as ir
import torch
from torch import nn
from torch.export import Dim

from bundle.interface import BATCH, HEIGHT, WIDTH
from bundle.text import describe_error
from export.errors import ExportError

OPSET = 20

FreeAxes = Mapping[int, str] | Sequence["FreeAxes | None"] | None


def image_dimensions(free_size: bool) -> dict[int, str]:
    """Names of the free dimensions of images ``(N, H, W, C)``, by axis."""
    return {0: BATCH, 1: HEIGHT, 2: WIDTH} if free_size else {0: BATCH}


def trace(
    module: nn.Module,
    inputs: tuple[Any, ...],
    input_names: Sequence[str],
    output_names: Sequence[str],
    free: Sequence[FreeAxes],
) -> ir.Model:
    """Trace a module in evaluation mode with torch's exporter.

    Args:
        module: module to trace.
        inputs: example arguments; lists of tensors are flattened into inputs of the graph.
        input_names, output_names: names of the inputs and outputs of the graph.
        free: for every argument, the names of its free dimensions by axis; for a list of tensors, a list
            of these; None if no dimension is free.

    Raises:
        ExportError: if the module cannot be traced, or does not leave these dimensions free.
    """
    shapes = tuple(_dims(one, value) for one, value in zip(free, inputs, strict=True))
    # The tracer logs and warns about its internals and about packages that are not needed here.
    for name in ("torch.onnx", "torch.fx.experimental.symbolic_shapes"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # After a failure, it also prints the graph that it had reached.
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                module.eval(),
                inputs,
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=list(input_names),
                output_names=list(output_names),
                opset_version=OPSET,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            cause = error.__cause__ or error
            reason = describe_error(cause, first_line=True)
            raise ExportError(f"torch cannot trace the network: {reason}") from error
    assert program is not None
    _name_dimensions(program.model.graph, free)
    return program.model


def _dims(free: FreeAxes, value: Any) -> Any:
    if isinstance(value, list):
        parts = free if isinstance(free, Sequence) else [None] * len(value)
        return [_dims(one, part) for one, part in zip(parts, value, strict=True)]
    if free is None:
        return None
    assert isinstance(free, Mapping)
    return dict.fromkeys(free, Dim.DYNAMIC)


def _name_dimensions(graph: ir.Graph, free: Sequence[FreeAxes]) -> None:
    """Name the free dimensions, which the tracer numbers; those of outputs are called :data:`BATCH`."""
    for value, names in zip(graph.inputs, free, strict=False):
        if isinstance(names, Mapping) and value.shape is not None:
            sides = (names.get(axis, side) for axis, side in enumerate(value.shape))
            value.shape = ir.Shape(list(sides))
    for value in graph.outputs:
        if value.shape is not None:
            sides = (BATCH if isinstance(side, ir.SymbolicDim) else side for side in value.shape)
            value.shape = ir.Shape(list(sides))
