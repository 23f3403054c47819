"""Puts a graph's arrays into it, so that one ONNX file is all that is needed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.errors import ExportError

MAX_BYTES = 2**31 - 1  # of one protobuf message


def embed(graph: bytes, arrays: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """A model that holds its arrays.

    Args:
        graph: serialized ONNX model.
        arrays: its external initializers by name.

    Raises:
        ExportError: if a single file cannot hold them.
    """
    _check_size(len(graph) + sum(array.nbytes for array in arrays.values()))
    model = onnx.load_model_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            array = np.ascontiguousarray(arrays[tensor.name])
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    return model


def serialize(model: onnx.ModelProto) -> bytes:
    """The file's content; the same bytes for the same model.

    Raises:
        ExportError: if a single file cannot hold it.
    """
    _check_size(model.ByteSize())
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ExportError(
            f"one ONNX file holds less than 2 GB, and this model takes {size / 2**30:.2f} GB: a bundle"
            " keeps the weights in a file of their own"
        )
