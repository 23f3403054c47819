"""The folded graph in half precision, for arrays that are folded in float32 and rounded afterwards."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from bundle.fold import Array

_LARGEST = float(np.finfo(np.float16).max)


class HalfGraph:
    """``predict.onnx`` with weights and activations in float16.

    Images stay uint8 and logits float32. Operators without a float16 kernel stay in float32.

    Args:
        graph: serialized ``predict.onnx``.
        arrays: its external initializers by name.

    Attributes:
        graph: the serialized graph, whose initializers are external as before.
    """

    def __init__(self, graph: bytes, arrays: Mapping[str, Array]) -> None:
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = onnx.load_model_from_string(graph)
        outside: dict[str, onnx.TensorProto] = {}
        for tensor in model.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                outside[tensor.name] = onnx.TensorProto()
                outside[tensor.name].CopyFrom(tensor)
                tensor.CopyFrom(numpy_helper.from_array(arrays[tensor.name], tensor.name))
        model = convert_float_to_float16(model, keep_io_types=True)
        self._halved: set[str] = set()
        for tensor in model.graph.initializer:
            if tensor.name in outside:
                if tensor.data_type == onnx.TensorProto.FLOAT16:
                    self._halved.add(tensor.name)
                    outside[tensor.name].data_type = onnx.TensorProto.FLOAT16
                tensor.CopyFrom(outside[tensor.name])
        self.graph: bytes = model.SerializeToString()

    def arrays(self, arrays: Mapping[str, Array]) -> dict[str, NDArray[Any]]:
        """Round arrays to the types that the graph takes; values beyond float16 become its largest."""
        return {
            name: to_half(array) if name in self._halved else array
            for name, array in arrays.items()
        }


def to_half(array: Array) -> NDArray[np.float16]:
    """Round to float16; what is finite stays finite."""
    return np.clip(array, -_LARGEST, _LARGEST).astype(np.float16)
