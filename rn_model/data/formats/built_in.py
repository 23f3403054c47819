"""Built-in data sets: digits printed in fonts, and scikit-learn's handwritten digits."""

import numpy as np

from rn_model.data.config import BuiltIn
from rn_model.data.formats.arrays import ArrayPictures
from rn_model.data.formats.contents import Contents

PRINTED_DIGITS = 5000


def open_built_in(name: BuiltIn, *, count: int | None, seed: int | None) -> Contents:
    """Render or load built-in digits.

    Args:
        name: which digits.
        count: number of printed digits; None for 5,000.
        seed: random seed of the printed digits; None for 0.
    """
    # These need matplotlib and scikit-learn, which no other format needs.
    from sklearn.datasets import load_digits

    from rn_model.digits.images import CLASSES, digit_image
    from rn_model.digits.rendering import render_digits

    if name == "printed-digits":
        images, labels = render_digits(count or PRINTED_DIGITS, seed=seed or 0)
    else:
        digits = load_digits()
        images = np.stack([np.asarray(digit_image(values)) for values in digits.images])
        labels = np.asarray(digits.target, dtype=np.int64)
    return Contents(ArrayPictures(images), labels, CLASSES)
