"""Stores the arrays of a graph in a safetensors file, to which the graph refers."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from safetensors.numpy import save

from bundle.fold import Array


def float_initializers(model: ir.Model) -> dict[str, Array]:
    """Weights of a graph: its float32 initializers with at least one dimension."""
    return {
        name: np.array(value.const_value.numpy())
        for name, value in model.graph.initializers.items()
        if value.const_value is not None
        and value.const_value.dtype == ir.DataType.FLOAT
        and value.const_value.shape.rank() > 0
    }


def keep_apart(model: ir.Model, arrays: Mapping[str, Array]) -> None:
    """Rename initializers of a graph whose names stand for other arrays in the same file.

    The tracer numbers the values of each graph separately, so the same name may occur with different
    arrays.

    Args:
        model: graph to change in place.
        arrays: the other arrays by name.
    """
    for name, value in list(model.graph.initializers.items()):
        if name in arrays and not np.array_equal(_numpy(value), arrays[name]):
            value.name = f"observe.{name}"


def _numpy(value: ir.Value) -> NDArray[Any]:
    assert value.const_value is not None
    return value.const_value.numpy()


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Content of a safetensors file; equal arrays give equal bytes."""
    return save({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())})


def serialize(model: ir.Model, external: Mapping[str, bytes] | None = None) -> bytes:
    """Content of an ONNX file, without the metadata in which the tracer describes the source code.

    Args:
        model: the graph.
        external: content of the safetensors file that holds its arrays, by file name. The graph refers
            to the arrays of that file instead of embedding them.
    """
    ClearMetadataAndDocStringPass()(model)
    proto = ir.serde.serialize_model(model)
    for name, content in (external or {}).items():
        ranges = _byte_ranges(content)
        for tensor in proto.graph.initializer:
            if tensor.name in ranges:
                _refer(tensor, name, *ranges[tensor.name])
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized


def _byte_ranges(content: bytes) -> dict[str, tuple[int, int]]:
    """Offset and length in bytes of every tensor in a safetensors file."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    start = 8 + length
    return {
        name: (
            start + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _refer(tensor: onnx.TensorProto, file: str, offset: int, length: int) -> None:
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", file), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
