"""Compares ``predict.onnx`` of a small network with ONNX's own reference evaluator."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bundle.fold import Array
from bundle.preprocessing import Pixels
from export.checks.parity import logit_error
from export.graphs.embedded_arrays import embed

IMAGES = 2
MAX_OPERATIONS = 10_000_000  # of one image
_NAME = "the reference evaluation of predict.onnx"


def check_reference(
    network: nn.Module,
    expected: NDArray[np.float32],
    graph: bytes,
    arrays: Mapping[str, Array],
    images: Pixels,
) -> dict[str, float]:
    """Evaluate ``predict.onnx`` by definition, on a few images, and compare its logits with torch's.

    Args:
        network: takes uint8 images; in evaluation mode.
        expected: its logits for the images.

    Returns:
        ``reference_images`` and ``reference_logit_error``; nothing for a network that is too large for
        an evaluator in plain Python, or that it cannot evaluate.

    Raises:
        ExportError: if the error is above the tolerance.
    """
    some = images[:IMAGES]
    if _operations(network, images[:1]) > MAX_OPERATIONS:
        return {}
    try:
        evaluator = ReferenceEvaluator(embed(graph, arrays))
        (logits,) = evaluator.run(["logits"], {"image": some})
    except Exception:
        # It lacks operators, and fails on others, such as transposed convolutions in groups.
        return {}
    error = logit_error(_NAME, np.asarray(logits), expected[: len(some)])
    return {"reference_images": float(len(some)), "reference_logit_error": error}


def _operations(network: nn.Module, images: Pixels) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.from_numpy(images))
    return int(counter.get_total_flops())
