"""A model of a Triton model repository: its configuration, its labels, and the graph as version 1."""

from collections.abc import Sequence

from export.errors import ExportError
from export.layouts.predictor import Predictor

CONFIG = "config.pbtxt"
LABELS = "labels.txt"
MODEL = "1/model.onnx"

MAX_BATCH = 64

# The batch dimension is Triton's own: dims leave it out. Both ends of the batch size are run before
# the model is called ready.
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
    """The files of the model's directory.

    Raises:
        ExportError: if a class cannot be a line of the file of labels.
    """
    manifest = predictor.manifest
    for label in manifest.classes:
        if not label or len(label.splitlines()) > 1:
            raise ExportError(f"Triton has one class a line, so {label!r} cannot be one")
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
