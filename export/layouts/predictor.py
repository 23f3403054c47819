"""What every layout is made of: one self-contained graph, and the manifest that describes it."""

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
    """One ONNX file with its weights inside.

    Attributes:
        manifest: of the bundle that it belongs to.
        content: of the file.
    """

    manifest: Manifest
    content: bytes

    @property
    def image_dims(self) -> tuple[int, ...]:
        """Height, width and channels of its input; -1 where the size is free."""
        model = onnx.load_model_from_string(self.content)
        shape = model.graph.input[0].type.tensor_type.shape
        return tuple(side.dim_value or -1 for side in shape.dim[1:])

    @property
    def example(self) -> Pixels:
        """A black image, as a batch of one."""
        return np.zeros((1, *self.manifest.preprocessing.shape), np.uint8)


def select_predictor(
    manifest: Manifest, contents: Mapping[str, bytes], precision: Precision | None = None
) -> Predictor:
    """The predictor among the files of a bundle.

    Args:
        manifest: of the bundle.
        contents: its files by name.
        precision: of the variant that is wanted; None for float32.

    Raises:
        ExportError: if the bundle has no such variant, or one ONNX file cannot hold the weights.
    """
    if precision is not None:
        check_precision(manifest, precision)
        return Predictor(manifest, contents[files.VARIANTS[precision]])
    model = embed(contents[files.PREDICT], load(contents[files.PREDICT_WEIGHTS]))
    return Predictor(manifest, serialize(model))


def read_predictor(path: Path, precision: Precision | None = None) -> Predictor:
    """The predictor of a bundle on disk, which is verified as a whole.

    Raises:
        BundleError: if the bundle is not what was written.
        ExportError: as :func:`select_predictor`.
    """
    bundle = load_bundle(path)
    if precision is None:
        return Predictor(bundle.manifest, serialize(embed(bundle.predict, bundle.predict_arrays)))
    check_precision(bundle.manifest, precision)
    name = files.VARIANTS[precision]
    contents = {name: (path / name).read_bytes()}
    if describe_files(contents)[name] != bundle.manifest.files[name]:
        raise ExportError(f"{path / name} changed while it was read")
    return select_predictor(bundle.manifest, contents, precision)


def check_precision(manifest: Manifest, precision: Precision) -> None:
    """Refuse a variant that a bundle does not have."""
    if files.VARIANTS[precision] not in manifest.files:
        raise ExportError(
            f"the bundle {manifest.name} has no {precision} variant: export its run with one"
        )
