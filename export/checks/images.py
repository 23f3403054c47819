"""Images on which an export is checked."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels, Preprocessing
from export.errors import ExportError


class LabelledImages(NamedTuple):
    """Target images ``(N, H, W, C)`` uint8, and ``(N,)`` indices of their labels among the classes."""

    images: Pixels
    labels: NDArray[np.int64]


def check_images(images: Pixels, preprocessing: Preprocessing) -> None:
    """Check that images can be the input of a graph.

    Raises:
        ExportError: if their type or shape is not that of the contract, or there are none.
    """
    wanted = (len(images), *preprocessing.shape)
    if images.dtype != np.uint8 or images.shape != wanted or not len(images):
        raise ExportError(
            f"the images must be uint8 {('N', *preprocessing.shape)} with N at least 1,"
            f" not {images.dtype} {images.shape}"
        )


def evenly_spaced(images: Pixels, count: int) -> Pixels:
    """At most ``count`` of the images, evenly spaced from first to last."""
    indices = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
    chosen: Pixels = images[indices]
    return chosen


def random_images(preprocessing: Preprocessing) -> Pixels:
    """16 images of random pixels, the same in every call; used if there are no target images."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (16, *preprocessing.shape), dtype=np.uint8)
