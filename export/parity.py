"""Compares the exported graphs with the torch model on real images."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bundle import files
from bundle.fold import Array
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels
from bundle.runtime import make_session
from export.sites import ExportError

TOLERANCE = 1e-4
BATCH = 256


def torch_logits(network: nn.Module, images: Pixels) -> NDArray[np.float32]:
    """Logits of a module that takes uint8 images, in batches."""
    with torch.no_grad():
        parts = [network(torch.from_numpy(part)).numpy() for part in batches(images)]
    return np.concatenate(parts)


def check_predictions(
    expected: NDArray[np.float32], graph: bytes, arrays: Mapping[str, Array], images: Pixels
) -> dict[str, float]:
    """Run ``predict.onnx`` and compare its logits with the torch model's.

    Returns:
        ``images``, ``logit_error`` (largest difference relative to the largest logit) and
        ``agreement`` (share of equal labels).

    Raises:
        ExportError: if the error is above ``TOLERANCE``; a label that differs with less is a tie.
    """
    session = make_session(graph, arrays)
    logits = np.concatenate(
        [session.run(["logits"], {"image": part})[0] for part in batches(images)]
    )
    error = _error(files.PREDICT, logits, expected)
    agreement = float((logits.argmax(1) == expected.argmax(1)).mean())
    return {"images": float(len(images)), "logit_error": error, "agreement": agreement}


def check_observations(
    expected: NDArray[np.float32],
    graph: bytes,
    arrays: Mapping[str, Array],
    moments: FlatMoments,
    images: Pixels,
) -> dict[str, float]:
    """Run ``observe.onnx`` with a prior that outweighs the batch: it must predict what torch does.

    Args:
        moments: the target moments under which ``expected`` was computed.

    Returns:
        ``observe_logit_error``, on the first images.

    Raises:
        ExportError: if the error is above ``TOLERANCE``.
    """
    part = images[:BATCH]
    inputs = {
        "image": part,
        "image_weight": np.ones(len(part), np.float32),
        "prior_weight": np.array(1e30, np.float32),
        "mean": moments.mean.astype(np.float32),
        "variance": moments.variance.astype(np.float32),
    }
    (logits,) = make_session(graph, arrays).run(["logits"], inputs)
    return {"observe_logit_error": _error(files.OBSERVE, logits, expected[: len(part)])}


def _error(name: str, logits: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    error = float(np.abs(logits - expected).max() / max(np.abs(expected).max(), 1e-12))
    if not error <= TOLERANCE:
        raise ExportError(
            f"{name} disagrees with the torch model on {len(logits)} images: logits differ by"
            f" {error:.1e} of the largest, {TOLERANCE:.0e} is allowed"
        )
    return error


def batches(images: Pixels) -> list[Pixels]:
    """Parts of at most ``BATCH`` images."""
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
