"""Inputs and outputs of the graphs of a bundle: names, types and shapes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from bundle import files
from bundle.manifest import Manifest

BATCH = "N"
HEIGHT = "H"
WIDTH = "W"
FEATURES = ("mean", "deviation", "height_difference", "width_difference")

PREDICT_INPUTS = ("image",)
PREDICT_OUTPUTS = ("logits",)
OBSERVE_INPUTS = ("image", "image_weight", "prior_weight", "mean", "variance")
OBSERVE_OUTPUTS = ("logits", "batch_mean", "batch_variance", "features")
COMPENSATE_INPUTS = ("mean", "variance")
COMPENSATE_OUTPUTS = ("scale", "shift")


class TensorType(NamedTuple):
    """Type and shape of one array, input or output.

    In a shape, :data:`BATCH` stands for the free batch size, and :data:`HEIGHT` and :data:`WIDTH` for a
    free image size.
    """

    dtype: np.dtype[np.generic]
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.dtype} ({', '.join(map(str, self.shape))})"


class Signature(NamedTuple):
    """Inputs and outputs of one graph by name."""

    inputs: dict[str, TensorType]
    outputs: dict[str, TensorType]


def signatures(manifest: Manifest) -> dict[str, Signature]:
    """Inputs and outputs that the graphs of a bundle must have, by file name."""
    height, width, colours = manifest.preprocessing.shape
    size = (HEIGHT, WIDTH) if manifest.free_size else (height, width)
    image = _type(np.uint8, BATCH, *size, colours)
    logits = _type(np.float32, BATCH, len(manifest.classes))
    single, double = _type(np.float32, manifest.channels), _type(np.float64, manifest.channels)
    weights, weight = _type(np.float32, BATCH), _type(np.float32)
    features = _type(np.float32, BATCH, len(FEATURES))
    types = {
        files.PREDICT: (PREDICT_INPUTS, [image], PREDICT_OUTPUTS, [logits]),
        files.OBSERVE: (
            OBSERVE_INPUTS,
            [image, weights, weight, single, single],
            OBSERVE_OUTPUTS,
            [logits, single, single, features],
        ),
        files.COMPENSATE: (COMPENSATE_INPUTS, [double] * 2, COMPENSATE_OUTPUTS, [double] * 2),
    }
    return {
        name: Signature(
            dict(zip(inputs, input_types, strict=True)),
            dict(zip(outputs, output_types, strict=True)),
        )
        for name, (inputs, input_types, outputs, output_types) in types.items()
    }


def _type(dtype: DTypeLike, *shape: int | str) -> TensorType:
    return TensorType(np.dtype(dtype), shape)
