"""The images of the built-in example: digits rendered from fonts, and handwritten digits."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from bundle.preprocessing import Pixels, Preprocessing
from rn_model.digits.rendering import render_digits

CLASSES = tuple(str(digit) for digit in range(10))
PREPROCESSING = Preprocessing(
    mode="L", height=16, width=16, interpolation="bilinear", mean=(0.29,), std=(0.42,)
)


@dataclass(frozen=True)
class Images:
    """Labelled images in memory.

    Attributes:
        pixels: preprocessed images, uint8 ``(N, H, W, C)``.
        labels: their classes, int64 ``(N,)``.

    Raises:
        ValueError: if there are no images, or not one label per image.
    """

    pixels: Pixels
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.pixels) == 0 or len(self.pixels) != len(self.labels):
            raise ValueError(f"{len(self.pixels)} images with {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.pixels)


def source_images(count: int, *, seed: int, preprocessing: Preprocessing = PREPROCESSING) -> Images:
    """The source domain: randomly deformed digits rendered from font files."""
    rendered, labels = render_digits(count, seed=seed)
    return Images(_preprocess(map(Image.fromarray, rendered), preprocessing), labels)


def target_images(preprocessing: Preprocessing = PREPROCESSING) -> Images:
    """The target domain: the 1,797 handwritten digits of scikit-learn.

    Their labels are only for reporting accuracy.
    """
    digits = load_digits()
    return Images(
        _preprocess(map(digit_image, digits.images), preprocessing),
        np.asarray(digits.target, dtype=np.int64),
    )


def digit_image(values: NDArray[np.generic]) -> Image.Image:
    """A grey image with bright ink, from values ``(H, W)`` between 0 (paper) and 16 (ink)."""
    return Image.fromarray(np.rint(values.astype(np.float64) * (255 / 16)).astype(np.uint8))


def _preprocess(images: Iterable[Image.Image], preprocessing: Preprocessing) -> Pixels:
    return np.stack([preprocessing.pixels(image) for image in images])
