"""Checks that a network takes images of any height and width, before and after it is exported so."""

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
    """What the network gives for images of twice the height and width, made of the first ones.

    Args:
        network: takes uint8 images; in evaluation mode.

    Raises:
        ExportError: if it takes images of one size only.
    """
    try:
        return torch_logits(network, _larger(images))
    except (RuntimeError, ValueError) as error:
        reason = describe_error(error, first_line=True)
        raise ExportError(
            f"the network takes images of one size only, which cannot be left free: {reason}"
        ) from error


def check_larger(
    expected: NDArray[np.float32], graph: bytes, arrays: Mapping[str, Array], images: Pixels
) -> dict[str, float]:
    """Run ``predict.onnx`` on the images of :func:`larger_logits`.

    Returns:
        ``free_size_logit_error``.

    Raises:
        ExportError: if the logits are not those of the network.
    """
    try:
        (logits,) = make_session(graph, arrays).run(["logits"], {"image": _larger(images)})
    except Exception as error:  # the runtime's errors have no common type
        raise ExportError(
            "torch's exporter fixed the size of the images, to be left free"
        ) from error
    return {"free_size_logit_error": logit_error(_NAME, logits, expected)}


def _larger(images: Pixels) -> Pixels:
    return np.tile(images[:2], (1, 2, 2, 1))
