"""Compares the exported graphs with the torch model on images."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bundle import files
from bundle.fold import Array
from bundle.interface import OBSERVE_OUTPUTS
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels
from bundle.runtime import make_session
from export.errors import ExportError
from export.network.sites import NormSite
from rn_model.layers.moments import Moments
from rn_model.layers.observation import Observation
from rn_model.layers.shrinkage import Spread, split_spread

TOLERANCE = 1e-4
BATCH = 256
# Number of images that the prior moments count for, as at the start of online adaptation.
PRIOR = 64.0


def torch_logits(network: nn.Module, images: Pixels) -> NDArray[np.float32]:
    """Logits of a module that takes uint8 images, computed batch by batch."""
    with torch.no_grad():
        parts = [network(torch.from_numpy(part)).numpy() for part in batches(images)]
    return np.concatenate(parts)


def check_predictions(
    expected: NDArray[np.float32], graph: bytes, arrays: Mapping[str, Array], images: Pixels
) -> dict[str, float]:
    """Run ``predict.onnx`` and compare its logits with those of the torch model.

    Args:
        expected: logits of the torch model.
        graph: content of ``predict.onnx``.
        arrays: its external initializers.
        images: pixels ``(N, H, W, C)`` uint8.

    Returns:
        ``images`` (their number), ``logit_error`` (maximum difference relative to the largest logit) and
        ``agreement`` (share of equal labels).

    Raises:
        ExportError: if the error exceeds ``TOLERANCE``. Labels that differ below it are ties.
    """
    session = make_session(graph, arrays)
    logits = np.concatenate(
        [session.run(["logits"], {"image": part})[0] for part in batches(images)]
    )
    error = logit_error(files.PREDICT, logits, expected)
    agreement = float((logits.argmax(1) == expected.argmax(1)).mean())
    return {"images": float(len(images)), "logit_error": error, "agreement": agreement}


def check_observations(
    expected: NDArray[np.float32],
    graph: bytes,
    arrays: Mapping[str, Array],
    moments: FlatMoments,
    images: Pixels,
) -> dict[str, float]:
    """Run ``observe.onnx`` with a prior that outweighs the batch, and compare its logits with torch's.

    Args:
        expected: logits of the torch model.
        graph: content of ``observe.onnx``.
        arrays: its external initializers.
        moments: target moments under which ``expected`` was computed.
        images: pixels ``(N, H, W, C)`` uint8; only the first ``BATCH`` are used.

    Returns:
        ``observe_logit_error``.

    Raises:
        ExportError: if the error exceeds ``TOLERANCE``.
    """
    part = images[:BATCH]
    logits = _observe(graph, arrays, moments, part, 1e30)["logits"]
    return {"observe_logit_error": logit_error(files.OBSERVE, logits, expected[: len(part)])}


def check_batch_moments(
    network: nn.Module,
    sites: Sequence[NormSite],
    spreads: Sequence[Spread],
    graph: bytes,
    arrays: Mapping[str, Array],
    moments: FlatMoments,
    images: Pixels,
) -> dict[str, float]:
    """Run ``observe.onnx`` and compare the moments of the batch with those that the torch layers observe.

    Args:
        network: network in evaluation mode that takes uint8 images.
        sites: its normalization layers.
        spreads: how much images differ at each site.
        graph: content of ``observe.onnx``.
        arrays: its external initializers.
        moments: prior moments, which count for ``PRIOR`` images.
        images: pixels ``(N, H, W, C)`` uint8; only the first ``PRIOR`` are used.

    Returns:
        ``observe_moment_error``: the maximum over all sites of the difference of a mean, relative to the
        larger of the site's largest absolute mean and largest standard deviation, and of the difference
        of a variance, relative to the site's largest variance.

    Raises:
        ExportError: if the error exceeds ``TOLERANCE``, naming the site.
    """
    part = images[: int(PRIOR)]
    found = _observe(graph, arrays, moments, part, PRIOR)
    largest = 0.0
    expected = _torch_moments(network, sites, spreads, moments, part)
    for site, batch in zip(sites, expected, strict=True):
        mean, variance = (found[name][site.slice] for name in OBSERVE_OUTPUTS[1:3])
        error = _moment_error(mean, variance, batch, site.layer.eps)
        if not error <= TOLERANCE:
            raise ExportError(
                f"{files.OBSERVE} disagrees with the torch model: the moments at {site.name!r} differ"
                f" by {error:.1e} of the largest; {TOLERANCE:.0e} is allowed"
            )
        largest = max(largest, error)
    return {"observe_moment_error": largest}


def logit_error(
    name: str, logits: NDArray[np.float32], expected: NDArray[np.float32], limit: float = TOLERANCE
) -> float:
    """Maximum difference between logits, relative to the largest expected logit.

    Args:
        name: name in the error message of what returned ``logits``.
        logits, expected: values ``(N, K)``.
        limit: maximum error.

    Raises:
        ExportError: if the error exceeds ``limit``, or is NaN.
    """
    error = float(np.abs(logits - expected).max() / max(np.abs(expected).max(), 1e-12))
    if not error <= limit:
        raise ExportError(
            f"{name} disagrees with the torch model on {len(logits)} images: logits differ by"
            f" {error:.1e} of the largest; {limit:.0e} is allowed"
        )
    return error


def batches(images: Pixels) -> list[Pixels]:
    """Split images into parts of at most ``BATCH``."""
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]


def _observe(
    graph: bytes, arrays: Mapping[str, Array], moments: FlatMoments, images: Pixels, prior: float
) -> dict[str, NDArray[np.float32]]:
    inputs = {
        "image": images,
        "image_weight": np.ones(len(images), np.float32),
        "prior_weight": np.array(prior, np.float32),
        "mean": moments.mean.astype(np.float32),
        "variance": moments.variance.astype(np.float32),
    }
    values = make_session(graph, arrays).run(list(OBSERVE_OUTPUTS), inputs)
    return dict(zip(OBSERVE_OUTPUTS, values, strict=True))


@torch.no_grad()
def _torch_moments(
    network: nn.Module,
    sites: Sequence[NormSite],
    spreads: Sequence[Spread],
    moments: FlatMoments,
    images: Pixels,
) -> list[Moments]:
    mean, variance = (torch.from_numpy(value).float() for value in moments)
    seen = []
    for site, spread in zip(sites, spreads, strict=True):
        prior = Moments(mean[site.slice], variance[site.slice])
        weights = torch.ones(len(images))
        known = split_spread(spread.tensors())
        seen.append(Observation("target", weights, PRIOR, prior, *known))
        site.layer.observation = seen[-1]
    try:
        network(torch.from_numpy(images))
    finally:
        for site in sites:
            site.layer.observation = None
    return [observation.batch for observation in seen if observation.batch is not None]


def _moment_error(
    mean: NDArray[np.float32], variance: NDArray[np.float32], expected: Moments, eps: float
) -> float:
    spread = float(expected.variance.max()) + eps
    scale = max(float(expected.mean.abs().max()), math.sqrt(spread))
    of_mean, of_variance = _largest(mean, expected.mean), _largest(variance, expected.variance)
    return max(of_mean / scale, of_variance / spread)


def _largest(found: NDArray[np.float32], expected: Tensor) -> float:
    return float(np.abs(found - expected.numpy()).max())
