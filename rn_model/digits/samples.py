"""Writes the handwritten digits to image files: ``python -m rn_model.digits.samples FOLDER``."""

import sys
from pathlib import Path

from sklearn.datasets import load_digits

from rn_model.digits.images import digit_image


def write_samples(folder: Path) -> int:
    """Write each digit of scikit-learn's data set to an 8x8 image file ``NUMBER-is-LABEL.png``.

    Returns:
        The number of images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    for number, (values, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        digit_image(values).save(folder / f"{number:04d}-is-{label}.png")
    return len(digits.images)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m rn_model.digits.samples FOLDER")
    print(f"wrote {write_samples(Path(sys.argv[1]))} images to {sys.argv[1]}")
