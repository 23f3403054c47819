"""Inputs and outputs of the graphs of a bundle: names, types and shapes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from bundle import files
from bundle.manifest import Manifest

BATCH = "N"
HEIGHT = "H"
WIDTH = "W"
# Each with the number below which its differences are of no interest.
FEATURE_FLOORS = {
    "mean": 1e-3,
    "deviation": 1e-3,
    "height_difference": 1e-3,
    "width_difference": 1e-3,
    "height_curvature": 1e-3,
    "width_curvature": 1e-3,
    "colour": 1e-2,
    "clipped": 1e-2,
    "block_edges": 1e-2,
    "far_difference": 1e-3,
    "rough_difference": 1e-3,
}
FEATURES = tuple(FEATURE_FLOORS)
# Of bundles before schema version 4.
FIRST_FEATURES = FEATURES[:4]

PREDICT_INPUTS = ("image",)
PREDICT_OUTPUTS = ("logits",)
OBSERVE_INPUTS = ("image", "image_weight", "prior_weight", "mean", "variance")
OBSERVE_OUTPUTS = ("logits", "batch_mean", "batch_variance", "features")
COMPENSATE_INPUTS = ("mean", "variance", "count")
# Of bundles whose graphs know nothing of the number of images.
FIRST_COMPENSATE_INPUTS = COMPENSATE_INPUTS[:2]
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
    features = _type(np.float32, BATCH, len(feature_names(manifest)))
    types = {
        files.PREDICT: (PREDICT_INPUTS, [image], PREDICT_OUTPUTS, [logits]),
        files.OBSERVE: (
            OBSERVE_INPUTS,
            [image, weights, weight, single, single],
            OBSERVE_OUTPUTS,
            [logits, single, single, features],
        ),
        files.COMPENSATE: (*_compensate_inputs(manifest), COMPENSATE_OUTPUTS, [double] * 2),
    }
    return {
        name: Signature(
            dict(zip(inputs, input_types, strict=True)),
            dict(zip(outputs, output_types, strict=True)),
        )
        for name, (inputs, input_types, outputs, output_types) in types.items()
    }


def feature_names(manifest: Manifest) -> tuple[str, ...]:
    """Names of the input features that ``observe.onnx`` of a bundle returns."""
    return FIRST_FEATURES if manifest.estimator is None else FEATURES


def _compensate_inputs(manifest: Manifest) -> tuple[tuple[str, ...], list[TensorType]]:
    vectors = [_type(np.float64, manifest.channels)] * 2
    if manifest.estimator is None:
        return FIRST_COMPENSATE_INPUTS, vectors
    return COMPENSATE_INPUTS, [*vectors, _type(np.float64)]


def _type(dtype: DTypeLike, *shape: int | str) -> TensorType:
    return TensorType(np.dtype(dtype), shape)
