"""Small image files, each of a single known grey level."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bundle.preprocessing import Preprocessing

SMALL = Preprocessing(mode="L", height=4, width=6, mean=(0.5,), std=(0.5,))
COLOUR = Preprocessing(mode="RGB", height=8, width=8, mean=(0.5,) * 3, std=(0.5,) * 3)


def picture(path: Path, grey: int = 0, size: tuple[int, int] = (6, 4)) -> Path:
    """Write a grey image (width, height); create its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, grey).save(path)
    return path


def class_folders(root: Path, counts: Mapping[str, int], first: int = 0) -> Path:
    """Write images into one folder per class, with grey levels ``first``, ``first`` + 1, ..."""
    grey = first
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture(root / name / f"{number:03d}.png", grey % 256)
            grey += 1
    return root


def flat_folder(root: Path, count: int) -> Path:
    """Write images without classes; image k has grey level k."""
    for number in range(count):
        picture(root / f"{number:03d}.png", number)
    return root


def arrays(path: Path, numbers: Sequence[int], **more: Any) -> Path:
    """Write an ``.npz`` file with the labels ``numbers``; image k has grey level k."""
    images = np.zeros((len(numbers), 4, 6), dtype=np.uint8)
    images += np.arange(len(numbers), dtype=np.uint8)[:, None, None]
    given = {"images": images, "labels": np.array(numbers, dtype=np.uint8), **more}
    np.savez(path, **{key: value for key, value in given.items() if value is not None})
    return path
