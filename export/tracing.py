"""Traces a torch module into an ONNX graph."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
import torch
from torch import nn

from bundle.signature import BATCH
from export.sites import ExportError

OPSET = 20


def trace(
    module: nn.Module,
    inputs: tuple[Any, ...],
    input_names: Sequence[str],
    output_names: Sequence[str],
    batch: Sequence[bool],
) -> ir.Model:
    """Trace a module, in evaluation mode, with torch's exporter.

    Args:
        module: what to trace.
        inputs: example arguments; lists of tensors are flattened into inputs of the graph.
        input_names, output_names: of the graph.
        batch: for each argument, whether its first dimension is the batch, left free.
    """
    free = torch.export.Dim(BATCH)
    shapes = tuple(
        {0: free} if is_batch else [None] * len(value) if isinstance(value, list) else None
        for value, is_batch in zip(inputs, batch, strict=True)
    )
    # The tracer logs and warns about its own internals and about packages that are not needed here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
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
            reason = next(iter(str(cause).splitlines()), type(cause).__name__)
            raise ExportError(f"torch cannot trace the network: {reason}") from error
    assert program is not None
    _name_batch(program.model.graph)
    return program.model


def _name_batch(graph: ir.Graph) -> None:
    """Call the only free dimension of inputs and outputs by its name; the tracer numbers it."""
    for value in (*graph.inputs, *graph.outputs):
        shape = value.shape
        if shape is not None and any(isinstance(side, ir.SymbolicDim) for side in shape):
            sides = (BATCH if isinstance(side, ir.SymbolicDim) else side for side in shape)
            value.shape = ir.Shape(list(sides))
