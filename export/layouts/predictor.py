"""The predictor of a bundle as one self-contained ONNX file, from which every layout is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import load

from bundle import files, load_bundle
from bundle.manifest import Manifest, Precision
from bundle.preprocessing import Pixels
from bundle.writing.storage import describe_files
from export.errors import ExportError
from export.graphs.embedded_arrays import embed, serialize


@dataclass(frozen=True)
class Predictor:
    """An ONNX file with embedded weights, and the manifest that describes it.

    Attributes:
        manifest: manifest of the bundle that the file was made from.
        content: content of the file.
    """

    manifest: Manifest
    content: bytes

    @property
    def image_dims(self) -> tuple[int, ...]:
        """Height, width and channels of the input; -1 for a free size."""
        model = onnx.load_model_from_string(self.content)
        shape = model.graph.input[0].type.tensor_type.shape
        return tuple(side.dim_value or -1 for side in shape.dim[1:])

    @property
    def example(self) -> Pixels:
        """One black image ``(1, H, W, C)`` uint8."""
        return np.zeros((1, *self.manifest.preprocessing.shape), np.uint8)


def select_predictor(
    manifest: Manifest, contents: Mapping[str, bytes], precision: Precision | None = None
) -> Predictor:
    """Select the predictor among the files of a bundle in memory.

    Args:
        manifest: manifest of the bundle.
        contents: content of its files by name.
        precision: precision of the variant to select; None for float32.

    Raises:
        ExportError: if the bundle has no such variant, or the weights are too large for one ONNX file.
    """
    if precision is not None:
        check_precision(manifest, precision)
        return Predictor(manifest, contents[files.VARIANTS[precision]])
    model = embed(contents[files.PREDICT], load(contents[files.PREDICT_WEIGHTS]))
    return Predictor(manifest, serialize(model))


def read_predictor(path: Path, precision: Precision | None = None) -> Predictor:
    """Read the predictor of a bundle on disk, after checking the whole bundle.

    Args:
        path: directory of the bundle.
        precision: precision of the variant to read; None for float32.

    Raises:
        BundleError: if the bundle is invalid.
        ExportError: see :func:`select_predictor`.
    """
    bundle = load_bundle(path)
    if precision is None:
        return Predictor(bundle.manifest, serialize(embed(bundle.predict, bundle.predict_arrays)))
    check_precision(bundle.manifest, precision)
    name = files.VARIANTS[precision]
    contents = {name: (path / name).read_bytes()}
    if describe_files(contents)[name] != bundle.manifest.files[name]:
        raise ExportError(f"{path / name} changed while it was being read")
    return select_predictor(bundle.manifest, contents, precision)


def check_precision(manifest: Manifest, precision: Precision) -> None:
    """Check that a bundle has a variant.

    Raises:
        ExportError: if it does not.
    """
    if files.VARIANTS[precision] not in manifest.files:
        raise ExportError(
            f"the bundle {manifest.name} has no {precision} variant: export the run again with one"
        )
