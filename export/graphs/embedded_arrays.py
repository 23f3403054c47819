"""Embeds the arrays of a graph, so that one ONNX file is self-contained."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.errors import ExportError

MAX_BYTES = 2**31 - 1  # limit of one protobuf message


def embed(graph: bytes, arrays: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Parse a graph and embed its arrays.

    Args:
        graph: serialized ONNX model.
        arrays: its external initializers by name.

    Raises:
        ExportError: if the arrays are too large for a single file.
    """
    _check_size(len(graph) + sum(array.nbytes for array in arrays.values()))
    model = onnx.load_model_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            array = np.ascontiguousarray(arrays[tensor.name])
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    return model


def serialize(model: onnx.ModelProto) -> bytes:
    """Content of the ONNX file; equal models give equal bytes.

    Raises:
        ExportError: if the model is too large for a single file.
    """
    _check_size(model.ByteSize())
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ExportError(
            f"an ONNX file holds less than 2 GB, and this model needs {size / 2**30:.2f} GB; a bundle"
            " stores the weights in a separate file"
        )
