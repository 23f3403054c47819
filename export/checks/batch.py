"""Checks that the answer for an image does not depend on the other images of its batch."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bundle import files
from bundle.fold import Array
from bundle.preprocessing import Pixels
from bundle.runtime import make_session
from export.checks.parity import logit_error
from export.errors import ExportError
from rn_model.checks.batch_independence import IMAGES, check_independence
from rn_model.checks.errors import NetworkError


def check_network_alone(model: nn.Module, scaling: nn.Module, images: Pixels) -> None:
    """Compare a network's logits for an image among others and alone.

    A service puts images of several clients into one batch.

    Args:
        model: network in evaluation mode.
        scaling: module from pixels to inputs of the network.
        images: pixels ``(N, H, W, C)`` uint8; the first ones are used, and random ones if they are few.

    Raises:
        ExportError: if the logits depend on the other images, or are random; it names the layer.
    """
    generator = np.random.default_rng(0)
    few = images[:IMAGES]
    missing = generator.integers(0, 256, (IMAGES - len(few), *few.shape[1:]), dtype=np.uint8)
    batch: Tensor = scaling(torch.from_numpy(np.concatenate([few, missing])))
    try:
        check_independence(model, batch)
    except NetworkError as error:
        raise ExportError(str(error)) from error


def check_graph_alone(
    expected: NDArray[np.float32], graph: bytes, arrays: Mapping[str, Array], images: Pixels
) -> dict[str, float]:
    """Run ``predict.onnx`` on one image alone, and compare its logits with those in a batch.

    Args:
        expected: logits of the network for all images, computed batch by batch.
        graph: content of ``predict.onnx``.
        arrays: its external initializers.
        images: pixels ``(N, H, W, C)`` uint8.

    Returns:
        ``alone_logit_error``: the maximum difference, relative to the largest logit of all images.

    Raises:
        ExportError: if the error exceeds the tolerance.
    """
    (alone,) = make_session(graph, arrays).run(["logits"], {"image": images[:1]})
    replaced = np.concatenate([alone, expected[1:]])
    return {
        "alone_logit_error": logit_error(f"{files.PREDICT}, given one image,", replaced, expected)
    }
