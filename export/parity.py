"""Compares the exported graphs with the torch model on real images."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bundle.fold import Array
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
    error = float(np.abs(logits - expected).max() / max(np.abs(expected).max(), 1e-12))
    agreement = float((logits.argmax(1) == expected.argmax(1)).mean())
    if not error <= TOLERANCE:
        raise ExportError(
            f"the exported graph disagrees with the torch model on {len(images)} images: logits differ"
            f" by {error:.1e} (allowed {TOLERANCE:.0e}), {agreement:.2%} of the labels are equal"
        )
    return {"images": float(len(images)), "logit_error": error, "agreement": agreement}


def batches(images: Pixels) -> list[Pixels]:
    """Parts of at most ``BATCH`` images."""
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
