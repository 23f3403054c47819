"""Quantizes a folded graph to 8-bit integers."""

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

from bundle.preprocessing import Pixels

CALIBRATION_BATCH = 32
_ELEMENTWISE = {"Mul", "Add", "Sub", "Div"}


def to_int8(model: onnx.ModelProto, images: Pixels) -> onnx.ModelProto:
    """Quantize weights and activations to 8 bits, as pairs of QuantizeLinear and DequantizeLinear.

    Weights are symmetric with one scale per output channel. Activations are unsigned; their ranges are
    measured on the given images. On x86 processors without VNNI, sums of such products can saturate; ONNX
    Runtime's session option ``session.x64quantprecision`` = ``1`` keeps them exact there.

    Args:
        model: graph with embedded arrays; left unchanged.
        images: pixels ``(N, H, W, C)`` uint8 for int8 calibration.
    """
    with TemporaryDirectory() as folder:
        prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(model, prepared, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            _Batches(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_per_channel_arithmetic(model) + _transposed_in_groups(model),
            calibrate_method=CalibrationMethod.MinMax,
        )
        return onnx.load(quantized)


def _per_channel_arithmetic(model: onnx.ModelProto) -> list[str]:
    """Names of nodes that combine a constant with an activation: pixel scaling and unfolded sites.

    Their constants differ widely between channels, but would share one scale.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in _ELEMENTWISE and constants & set(node.input)
    ]


def _transposed_in_groups(model: onnx.ModelProto) -> list[str]:
    """Names of grouped transposed convolutions, for which ONNX Runtime has no scale per output channel."""
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "ConvTranspose"
        and any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
    ]


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Feeds images to the int8 calibration, batch by batch."""

    def __init__(self, images: Pixels) -> None:
        starts = range(0, len(images), CALIBRATION_BATCH)
        self._batches = iter([images[start : start + CALIBRATION_BATCH] for start in starts])

    def get_next(self) -> dict[str, Pixels] | None:
        """The next batch by input name; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {"image": batch}
