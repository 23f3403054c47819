"""Variants of the folded graph in lower precision, and what they keep of its predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from bundle import files
from bundle.manifest import Kept, Precision, Variant
from bundle.preprocessing import Pixels
from bundle.runtime import make_session
from bundle.scores import label_free_scores, softmax
from export.checks.images import Labelled, evenly
from export.checks.parity import batches
from export.errors import ExportError
from export.graphs.embed_arrays import serialize
from export.graphs.metadata import annotate
from export.variants.float16 import rounding_session, to_float16
from export.variants.int8 import to_int8

MAX_LOSS = 0.01
MAX_CALIBRATION = 512

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class VariantOptions:
    """Which variants are wanted.

    Attributes:
        precisions: one variant each.
        max_loss: largest share of held out images whose label a variant may change.
        labelled: target images with labels, on which accuracy is reported, if they are there.
    """

    precisions: Sequence[Precision] = ()
    max_loss: float = MAX_LOSS
    labelled: Labelled | None = None


NO_VARIANTS = VariantOptions()


class Divided(NamedTuple):
    """Images in two parts, so that nothing is measured on what it was fitted to.

    Attributes:
        calibrating: set the ranges of integers; may be none.
        held_out: on these a variant is compared with ``predict.onnx``.
    """

    calibrating: Pixels
    held_out: Pixels


def divide(images: Pixels, *, calibrate: bool = True) -> Divided:
    """Hold out every other image; at most ``MAX_CALIBRATION`` of the others calibrate.

    Args:
        calibrate: whether any may; if not, all are held out. A single image is held out.
    """
    if not calibrate or len(images) < 2:
        return Divided(images[:0], images)
    return Divided(evenly(images[::2], MAX_CALIBRATION), images[1::2])


def check_calibrating(images: Divided, options: VariantOptions) -> None:
    """Refuse integers without images to calibrate on.

    Raises:
        ExportError: if that is what is wanted.
    """
    if "int8" in options.precisions and not len(images.calibrating):
        raise ExportError(
            "int8 needs at least two target images, one to calibrate on and one to check with; a run"
            " gives those that it kept (keep_images), and none with the statistics of the source"
        )


def make_variants(
    model: onnx.ModelProto,
    images: Divided,
    metadata: Mapping[str, str],
    options: VariantOptions,
) -> tuple[dict[str, bytes], dict[Precision, Variant]]:
    """Convert a graph, and compare each variant with it.

    Args:
        model: ``predict.onnx`` with its arrays.
        images: to calibrate on and to compare with; see :func:`check_calibrating`.
        metadata: written into each file.
        options: which variants, and what they may lose.

    Returns:
        The files by name, and what was measured.

    Raises:
        ExportError: if a variant changes more labels than it may, or is not finite.
    """
    reference = make_session(serialize(model), {})
    contents: dict[str, bytes] = {}
    table: dict[Precision, Variant] = {}
    for precision in options.precisions:
        converted = _convert(model, precision, images.calibrating)
        annotate(converted, metadata, precision)
        name = files.VARIANTS[precision]
        contents[name] = serialize(converted)
        if precision == "float16":
            session = rounding_session(converted)
        else:
            session = make_session(contents[name], {})
        found = _compare(name, reference, session, images.held_out, options.labelled)
        if precision == "int8":
            found = found.model_copy(update={"calibration_images": len(images.calibrating)})
        table[precision], loss = found, 1 - found.agreement
        if loss > options.max_loss:
            raise ExportError(
                f"{name} changes the label of {loss:.2%} of {found.images} held out images;"
                f" at most {options.max_loss:.2%} is allowed"
            )
    return contents, table


def _convert(model: onnx.ModelProto, precision: Precision, calibrating: Pixels) -> onnx.ModelProto:
    if precision == "float16":
        return to_float16(model)
    return to_int8(model, calibrating)


def _compare(
    name: str,
    reference: ort.InferenceSession,
    variant: ort.InferenceSession,
    images: Pixels,
    labelled: Labelled | None,
) -> Variant:
    before, after = _logits(reference, images), _logits(variant, images)
    if not np.isfinite(after).all():
        raise ExportError(
            f"{name} gives logits that are not finite: the network's values leave its range"
        )
    scores = [label_free_scores(softmax(logits)) for logits in (before, after)]
    return Variant(
        file=name,
        images=len(before),
        calibration_images=0,
        agreement=float((before.argmax(1) == after.argmax(1)).mean()),
        logit_error=float(np.abs(after - before).max() / max(np.abs(before).max(), 1e-12)),
        information=Kept(float32=scores[0].information, variant=scores[1].information),
        nuclear_norm=Kept(float32=scores[0].nuclear_norm, variant=scores[1].nuclear_norm),
        accuracy=None if labelled is None else _accuracy(reference, variant, labelled),
    )


def _accuracy(
    reference: ort.InferenceSession, variant: ort.InferenceSession, labelled: Labelled
) -> Kept:
    before, after = (
        float((_logits(session, labelled.images).argmax(1) == labelled.labels).mean())
        for session in (reference, variant)
    )
    return Kept(float32=before, variant=after)


def _logits(session: ort.InferenceSession, images: Pixels) -> Logits:
    return np.concatenate([session.run(["logits"], {"image": part})[0] for part in batches(images)])
