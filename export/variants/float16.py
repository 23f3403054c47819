"""Converts a folded graph to half precision."""

import onnx
import onnxruntime as ort
from onnxruntime.transformers.float16 import convert_float_to_float16


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with weights and activations in float16.

    Inputs and outputs keep their types: uint8 images in, float32 logits out. Operators that have no
    float16 form stay in float32 between casts.

    Args:
        model: holds its arrays; left unchanged.
    """
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    converted: onnx.ModelProto = convert_float_to_float16(copied, keep_io_types=True)
    return converted


def rounding_session(model: onnx.ModelProto) -> ort.InferenceSession:
    """A session on the CPU that rounds every value to float16, as a GPU does.

    ONNX Runtime's CPU kernels compute halves in float32, and it drops the casts between one and the
    next: such a session would neither round nor overflow.

    Args:
        model: as :func:`to_float16` gives it; left unchanged.
    """
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    del rounded.graph.node[:]
    for node in model.graph.node:
        changed = rounded.graph.node.add()
        changed.CopyFrom(node)
        for place, name in enumerate(node.output):
            if name:
                # It has a kernel for halves, so casts must meet it; optimizations would remove it.
                changed.output[place] = f"{name}.unrounded"
                rounded.graph.node.append(
                    onnx.helper.make_node("Identity", [f"{name}.unrounded"], [name])
                )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(
        rounded.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
