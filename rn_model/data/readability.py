"""Tries to read the image files of a task before a training depends on them."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from rn_model.data.errors import DataError
from rn_model.data.formats.image_files import FilePictures
from rn_model.data.sets import ImageSet, JoinedSet, PictureSet


class Readability(NamedTuple):
    """Outcome of reading image files.

    Attributes:
        total: number of image files in all sets.
        read: number of files that were tried.
        problems: one line per file that cannot be read.
    """

    total: int
    read: int
    problems: tuple[str, ...]


def try_images(sets: Sequence[ImageSet], max_images: int) -> Readability:
    """Read the image files of some sets, at most ``max_images`` of them, evenly spaced.

    Images that are held in memory are not counted.
    """
    files = [
        (images, int(index))
        for images in _with_files(sets)
        for index in images.indices  # indices into the stored images
    ]
    total = len(files)
    if total > max_images:
        chosen = np.linspace(0, total - 1, max_images).round().astype(int)
        files = [files[place] for place in chosen]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [line for line in pool.map(_problem, files) if line is not None]
    return Readability(total, len(files), tuple(problems))


def _with_files(sets: Sequence[ImageSet]) -> Iterator[PictureSet]:
    for images in sets:
        if isinstance(images, JoinedSet):
            yield from _with_files(images.parts)
        elif isinstance(images, PictureSet) and isinstance(images.pictures, FilePictures):
            yield images


def _problem(file: tuple[PictureSet, int]) -> str | None:
    images, index = file
    try:
        images.pictures.pixels(index, images.preprocessing)
    except DataError as error:
        return str(error)
    return None
