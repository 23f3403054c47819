"""Compares ``predict.onnx`` under ONNX's reference evaluator with the network."""

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
MAX_OPERATIONS = 10_000_000  # per image
_NAME = "the reference evaluation of predict.onnx"


def check_reference(
    network: nn.Module,
    expected: NDArray[np.float32],
    graph: bytes,
    arrays: Mapping[str, Array],
    images: Pixels,
) -> dict[str, float]:
    """Evaluate ``predict.onnx`` on a few images with ONNX's reference evaluator, and compare its logits.

    The evaluator follows the definitions of the operators and is independent of ONNX Runtime.

    Args:
        network: network in evaluation mode that takes uint8 images.
        expected: its logits.
        graph: content of ``predict.onnx``.
        arrays: its external initializers.
        images: pixels ``(N, H, W, C)`` uint8.

    Returns:
        ``reference_images`` and ``reference_logit_error``; empty if the network is too large for an
        evaluator in pure Python, or if the evaluator cannot run it.

    Raises:
        ExportError: if the error exceeds the tolerance.
    """
    few = images[:IMAGES]
    if _operations(network, images[:1]) > MAX_OPERATIONS:
        return {}
    try:
        evaluator = ReferenceEvaluator(embed(graph, arrays))
        (logits,) = evaluator.run(["logits"], {"image": few})
    except Exception:
        # It lacks some operators and fails on others, such as grouped transposed convolutions.
        return {}
    error = logit_error(_NAME, np.asarray(logits), expected[: len(few)])
    return {"reference_images": float(len(few)), "reference_logit_error": error}


def _operations(network: nn.Module, images: Pixels) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.from_numpy(images))
    return int(counter.get_total_flops())
