"""Checks that a network, and its exported graph, take images of any height and width."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bundle.fold import Array
from bundle.preprocessing import Pixels
from bundle.runtime import make_session
from bundle.text import describe_error
from export.checks.parity import logit_error, torch_logits
from export.errors import ExportError

_NAME = "predict.onnx, run on images of twice the size,"


def larger_logits(network: nn.Module, images: Pixels) -> NDArray[np.float32]:
    """Logits of the network for images of twice the height and width.

    The images are made by tiling the first ones.

    Args:
        network: network in evaluation mode that takes uint8 images.
        images: pixels ``(N, H, W, C)`` uint8.

    Raises:
        ExportError: if the network takes images of one size only.
    """
    try:
        return torch_logits(network, _larger(images))
    except (RuntimeError, ValueError) as error:
        reason = describe_error(error, first_line=True)
        raise ExportError(
            f"the network takes images of one size only, so the size cannot be free: {reason}"
        ) from error


def check_larger(
    expected: NDArray[np.float32], graph: bytes, arrays: Mapping[str, Array], images: Pixels
) -> dict[str, float]:
    """Run ``predict.onnx`` on the same larger images, and compare its logits with the network's.

    Args:
        expected: result of :func:`larger_logits`.
        graph: content of ``predict.onnx``.
        arrays: its external initializers.
        images: the images that :func:`larger_logits` was given.

    Returns:
        ``free_size_logit_error``.

    Raises:
        ExportError: if the graph cannot be run on them, or the logits differ.
    """
    try:
        (logits,) = make_session(graph, arrays).run(["logits"], {"image": _larger(images)})
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ExportError(
            "torch's exporter fixed the size of the images, which should be free"
        ) from error
    return {"free_size_logit_error": logit_error(_NAME, logits, expected)}


def _larger(images: Pixels) -> Pixels:
    return np.tile(images[:2], (1, 2, 2, 1))
