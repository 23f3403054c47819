"""The two domains of the example: digits of font files and digits of people's hands."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from bundle.preprocessing import Pixels, Preprocessing
from rn_model.data.tensors import Images
from rn_model.digits.rendering import render_digits

CLASSES = tuple(str(digit) for digit in range(10))
PREPROCESSING = Preprocessing(
    mode="L", height=16, width=16, interpolation="bilinear", mean=(0.29,), std=(0.42,)
)


def source_images(count: int, *, seed: int, preprocessing: Preprocessing = PREPROCESSING) -> Images:
    """Digits drawn from font files, deformed at random."""
    drawn, labels = render_digits(count, seed=seed)
    return Images(_preprocess(map(Image.fromarray, drawn), preprocessing), labels)


def target_images(preprocessing: Preprocessing = PREPROCESSING) -> Images:
    """The 1,797 handwritten digits that come with scikit-learn.

    The labels are there to report accuracy with, and for nothing else.
    """
    digits = load_digits()
    return Images(
        _preprocess(map(digit_image, digits.images), preprocessing),
        np.asarray(digits.target, dtype=np.int64),
    )


def digit_image(values: NDArray[np.generic]) -> Image.Image:
    """A grey image of values ``(H, W)`` from 0 (paper) to 16 (ink), ink bright."""
    return Image.fromarray(np.rint(values.astype(np.float64) * (255 / 16)).astype(np.uint8))


def _preprocess(images: Iterable[Image.Image], preprocessing: Preprocessing) -> Pixels:
    return np.stack([preprocessing.pixels(image) for image in images])
