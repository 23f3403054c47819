"""Converts the folded graph into variants of lower precision, and measures each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnxruntime as ort

from bundle import files
from bundle.manifest import Precision, Variant
from bundle.preprocessing import Pixels
from bundle.runtime import make_session
from export.checks.images import LabelledImages
from export.errors import ExportError
from export.graphs.embedded_arrays import serialize
from export.graphs.metadata import annotate
from export.variants.comparison import compare_variant
from export.variants.float16 import rounding_session, to_float16
from export.variants.image_split import ImageSplit
from export.variants.int8 import to_int8

MAX_LOSS = 0.01


@dataclass(frozen=True)
class VariantOptions:
    """The variants to make, and how much they may change.

    Attributes:
        precisions: precisions, one variant each.
        max_loss: maximum share of held-out images whose label a variant may change.
        labelled: labelled target images on which accuracy is reported; None to report none.
    """

    precisions: Sequence[Precision] = ()
    max_loss: float = MAX_LOSS
    labelled: LabelledImages | None = None


NO_VARIANTS = VariantOptions()


def make_variants(
    model: onnx.ModelProto,
    images: ImageSplit,
    metadata: Mapping[str, str],
    options: VariantOptions,
) -> tuple[dict[str, bytes], dict[Precision, Variant]]:
    """Convert a graph, and compare each variant with it.

    Args:
        model: ``predict.onnx`` with its arrays embedded.
        images: images for int8 calibration and for comparing; see
            :func:`export.variants.image_split.check_split`.
        metadata: metadata to write into each file.
        options: which variants, and how much they may change.

    Returns:
        Content by file name, and what was measured by precision.

    Raises:
        ExportError: if a variant changes more labels than allowed, or a logit is not finite.
    """
    reference = make_session(serialize(model), {})
    contents: dict[str, bytes] = {}
    table: dict[Precision, Variant] = {}
    for precision in options.precisions:
        converted = _convert(model, precision, images.calibration)
        annotate(converted, metadata, precision)
        name = files.VARIANTS[precision]
        contents[name] = serialize(converted)
        session = _session(precision, converted, contents[name])
        found = compare_variant(name, reference, session, images.held_out, options.labelled)
        if precision == "int8":
            found = found.model_copy(update={"calibration_images": len(images.calibration)})
        loss = 1 - found.agreement
        if loss > options.max_loss:
            raise ExportError(
                f"{name} changes the label of {loss:.2%} of {found.images} held-out images;"
                f" at most {options.max_loss:.2%} is allowed"
            )
        table[precision] = found
    return contents, table


def _convert(model: onnx.ModelProto, precision: Precision, calibration: Pixels) -> onnx.ModelProto:
    if precision == "float16":
        return to_float16(model)
    return to_int8(model, calibration)


def _session(
    precision: Precision, converted: onnx.ModelProto, content: bytes
) -> ort.InferenceSession:
    if precision == "float16":
        return rounding_session(converted)
    return make_session(content, {})
