"""Packs sample images for a bundle."""

import io

import numpy as np

from bundle.preprocessing import Pixels
from bundle.reading.sample_images import MAX_SAMPLE_BYTES
from export.checks.images import evenly_spaced

MAX_SAMPLES = 256


def pack_sample_images(images: Pixels) -> bytes:
    """Content of ``canary.npz``: some of the images, within the limits that readers set.

    Args:
        images: pixels ``(N, H, W, C)`` uint8, N at least 1.
    """
    count = min(MAX_SAMPLES, MAX_SAMPLE_BYTES // images[0].size)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=evenly_spaced(images, count))
    return buffer.getvalue()
