"""Chooses and packs sample images for a bundle."""

import io

import numpy as np

from bundle.preprocessing import Pixels
from bundle.reading.sample_images import MAX_SAMPLE_BYTES
from export.checks.images import evenly_spaced

MAX_SAMPLES = 256


def choose_samples(images: Pixels) -> Pixels:
    """Some of the images ``(N, H, W, C)`` uint8, N at least 1, within the limits that readers set."""
    return evenly_spaced(images, min(MAX_SAMPLES, MAX_SAMPLE_BYTES // images[0].size))


def pack_sample_images(samples: Pixels) -> bytes:
    """Content of ``canary.npz``.

    Args:
        samples: pixels ``(N, H, W, C)`` uint8.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=samples)
    return buffer.getvalue()
