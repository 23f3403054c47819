"""Labelled images with which a visitor of the page tries what a changed camera does."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from bundle.images.errors import ImageError
from bundle.images.folder import find_images
from bundle.preprocessing import Pixels, Preprocessing

MAX_EXAMPLES = 1000


class ExamplesError(Exception):
    """The images cannot be read."""


@dataclass(frozen=True)
class Examples:
    """Labelled images of the default model.

    Attributes:
        pixels: preprocessed images ``(N, H, W, C)``, uint8; their classes take turns.
        labels: name of the class of each.
    """

    pixels: Pixels
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def read_examples(
    folder: Path, classes: Sequence[str], preprocessing: Preprocessing, most: int = MAX_EXAMPLES
) -> Examples:
    """Read the images of a folder that holds a folder per class.

    Args:
        folder: where they are.
        classes: names of the classes of the model.
        preprocessing: what the model does with images.
        most: number of images to read, as evenly from the classes as there are images.

    Raises:
        ExamplesError: if there are none, or one cannot be read.
    """
    by_class: defaultdict[str, list[str]] = defaultdict(list)
    try:
        for path in find_images(folder).paths:
            by_class[path.partition("/")[0]].append(path)
    except OSError as error:
        raise ExamplesError(f"RN_EXAMPLES: {folder} cannot be read: {error.strerror}") from error
    known = {name: by_class[name] for name in classes if by_class[name]}
    if not known:
        raise ExamplesError(
            f"RN_EXAMPLES: {folder} holds no images in folders that are named like the classes of the"
            f" model: {', '.join(classes[:5])}{', ...' if len(classes) > 5 else ''}"
        )
    taken = [path for path in chain(*zip_longest(*known.values())) if path is not None][:most]
    pixels = []
    for path in taken:
        try:
            pixels.append(preprocessing.read((folder / path).read_bytes()))
        except (OSError, ImageError) as error:
            raise ExamplesError(f"RN_EXAMPLES: {folder / path} {error}") from error
    return Examples(np.stack(pixels), tuple(path.partition("/")[0] for path in taken))
