"""The images that an export is checked on, and what a bundle keeps of them."""

import io
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bundle.interface import FEATURES
from bundle.manifest import InputProfile
from bundle.preprocessing import Pixels, Preprocessing
from bundle.reading.canary import MAX_CANARY_BYTES
from export.checks.parity import batches
from export.errors import ExportError
from export.network.modules import input_features

MAX_CANARY = 256


class Labelled(NamedTuple):
    """Target images ``(N, H, W, C)`` uint8 and the places ``(N,)`` of their labels among the classes."""

    images: Pixels
    labels: NDArray[np.int64]


def check_images(images: Pixels, preprocessing: Preprocessing) -> None:
    """Refuse what cannot be the input of a graph.

    Raises:
        ExportError: if type or shape is not the contract's, or there is none.
    """
    wanted = (len(images), *preprocessing.shape)
    if images.dtype != np.uint8 or images.shape != wanted or not len(images):
        raise ExportError(
            f"the images must be uint8 {('N', *preprocessing.shape)} with N at least 1,"
            f" not {images.dtype} {images.shape}"
        )


def evenly(images: Pixels, count: int) -> Pixels:
    """At most so many images, evenly from first to last."""
    places = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
    chosen: Pixels = images[places]
    return chosen


def random_images(preprocessing: Preprocessing) -> Pixels:
    """Noise, the same every time, for want of images."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (16, *preprocessing.shape), dtype=np.uint8)


def input_profile(images: Pixels) -> InputProfile:
    """Median and spread of the input features of these images."""
    parts = [input_features(torch.from_numpy(part)).numpy() for part in batches(images)]
    features = np.concatenate(parts).astype(np.float64)
    median = np.median(features, axis=0)
    spread = np.median(np.abs(features - median), axis=0)
    return InputProfile(features=FEATURES, median=tuple(median), spread=tuple(spread))


def canary(images: Pixels) -> bytes:
    """The archive of the images that travel in a bundle: no more than a reader takes."""
    most = min(MAX_CANARY, MAX_CANARY_BYTES // images[0].size)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=evenly(images, most))
    return buffer.getvalue()
