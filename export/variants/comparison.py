"""Compares a variant of ``predict.onnx`` with the original."""

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.manifest import PairedScore, Variant
from bundle.preprocessing import Pixels
from bundle.scores import label_free_scores, softmax
from export.checks.images import LabelledImages
from export.checks.parity import batches
from export.errors import ExportError

Logits = NDArray[np.float32]


def compare_variant(
    name: str,
    reference: ort.InferenceSession,
    variant: ort.InferenceSession,
    images: Pixels,
    labelled: LabelledImages | None,
) -> Variant:
    """Run both graphs on the same images and measure how far their predictions differ.

    Args:
        name: file name of the variant.
        reference: session of ``predict.onnx``.
        variant: session of the variant.
        images: held-out pixels ``(N, H, W, C)`` uint8.
        labelled: labelled target images for measuring accuracy, if there are any.

    Returns:
        The entry of the manifest, with no calibration images.

    Raises:
        ExportError: if a logit of the variant is not finite.
    """
    before, after = _logits(reference, images), _logits(variant, images)
    if not np.isfinite(after).all():
        raise ExportError(
            f"{name} returns logits that are not finite: values in the network exceed its range"
        )
    scores = [label_free_scores(softmax(logits)) for logits in (before, after)]
    return Variant(
        file=name,
        images=len(before),
        calibration_images=0,
        agreement=float((before.argmax(1) == after.argmax(1)).mean()),
        logit_error=float(np.abs(after - before).max() / max(np.abs(before).max(), 1e-12)),
        information=PairedScore(float32=scores[0].information, variant=scores[1].information),
        nuclear_norm=PairedScore(float32=scores[0].nuclear_norm, variant=scores[1].nuclear_norm),
        accuracy=None if labelled is None else _accuracy(reference, variant, labelled),
    )


def _accuracy(
    reference: ort.InferenceSession, variant: ort.InferenceSession, labelled: LabelledImages
) -> PairedScore:
    before, after = (
        float((_logits(session, labelled.images).argmax(1) == labelled.labels).mean())
        for session in (reference, variant)
    )
    return PairedScore(float32=before, variant=after)


def _logits(session: ort.InferenceSession, images: Pixels) -> Logits:
    return np.concatenate([session.run(["logits"], {"image": part})[0] for part in batches(images)])
