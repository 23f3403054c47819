"""Converts a folded graph to half precision."""

import onnx
import onnxruntime as ort
from onnxruntime.transformers.float16 import convert_float_to_float16


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert the weights and activations of a graph to float16.

    Inputs and outputs keep their types: uint8 images and float32 logits. Operators without a float16
    implementation stay in float32 between casts.

    Args:
        model: graph with embedded arrays; left unchanged.
    """
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    converted: onnx.ModelProto = convert_float_to_float16(copied, keep_io_types=True)
    return converted


def rounding_session(model: onnx.ModelProto) -> ort.InferenceSession:
    """Make a session on the CPU that rounds every value to float16, as a GPU does.

    ONNX Runtime computes float16 operators in float32 on the CPU, and removes the casts between them: an
    ordinary session would neither round nor overflow.

    Args:
        model: result of :func:`to_float16`; left unchanged.
    """
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    del rounded.graph.node[:]
    for node in model.graph.node:
        changed = rounded.graph.node.add()
        changed.CopyFrom(node)
        for index, name in enumerate(node.output):
            if name:
                # Identity has a float16 kernel, which forces a cast before it; optimizations are off,
                # because they would remove it.
                changed.output[index] = f"{name}.unrounded"
                rounded.graph.node.append(
                    onnx.helper.make_node("Identity", [f"{name}.unrounded"], [name])
                )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(
        rounded.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
