"""The layout of a model in a Triton model repository: configuration, labels, and version 1."""

from collections.abc import Sequence

from export.errors import ExportError
from export.layouts.predictor import Predictor

CONFIG = "config.pbtxt"
LABELS = "labels.txt"
MODEL = "1/model.onnx"

MAX_BATCH = 64

# Triton adds the batch dimension itself: dims omit it. The smallest and the largest batch are run before
# the model is reported as ready.
_TEMPLATE = """\
name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: {max_batch}
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: {dims} }}
]
output [
  {{ name: "logits" data_type: TYPE_FP32 dims: [ {classes} ] label_filename: "{labels}" }}
]
instance_group [
  {{ kind: KIND_AUTO }}
]
dynamic_batching {{ }}
{warmups}"""

_WARMUP = """\
model_warmup [
  {{
    name: "batch of {size}"
    batch_size: {size}
    inputs {{
      key: "image"
      value: {{ data_type: TYPE_UINT8 dims: {shape} zero_data: true }}
    }}
  }}
]
"""


def contents(predictor: Predictor) -> dict[str, bytes]:
    """Content of the model's files, by path.

    Raises:
        ExportError: if a class name cannot be a line of the labels file.
    """
    manifest = predictor.manifest
    for label in manifest.classes:
        if not label or len(label.splitlines()) > 1:
            raise ExportError(
                f"Triton reads one class name per line, so {label!r} cannot be a class name"
            )
    shape = _list(manifest.preprocessing.shape)
    config = _TEMPLATE.format(
        name=manifest.name,
        max_batch=MAX_BATCH,
        dims=_list(predictor.image_dims),
        classes=len(manifest.classes),
        labels=LABELS,
        warmups="".join(_WARMUP.format(size=size, shape=shape) for size in (1, MAX_BATCH)),
    )
    labels = "".join(f"{label}\n" for label in manifest.classes)
    return {CONFIG: config.encode(), LABELS: labels.encode(), MODEL: predictor.content}


def _list(dims: Sequence[int]) -> str:
    return f"[ {', '.join(map(str, dims))} ]"
