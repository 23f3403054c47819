"""Streams of images: a folder, or arrays in a file, in their order, with labels where there are any."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bundle.images.errors import ImageError
from bundle.images.folder import find_images
from bundle.preprocessing import Pixels, Preprocessing
from bundle.text import describe_error
from rn.replaying.changes import Change, apply_change, change_at
from rn.replaying.errors import ReplayError

ARRAYS = ".npz"


ReadImage = Callable[[int], Pixels]


@dataclass(frozen=True)
class Stream:
    """Images in the order in which a camera took them.

    Attributes:
        read_image: preprocessed pixels ``(H, W, C)`` of an image, by its number as it was recorded.
        labels: name of the class of each; None where it is not known.
        order: numbers of the images in the order in which they are replayed.
        changes: changes of the camera, in order.
    """

    read_image: ReadImage
    labels: Sequence[str | None]
    order: Sequence[int]
    changes: Sequence[Change]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.order)

    def labels_of(self, start: int, stop: int) -> list[str | None]:
        """Labels of some images in a row."""
        return [self.labels[number] for number in self.order[start:stop]]

    def change_at(self, place: int) -> str:
        """Name of the change of the camera at a place of the stream."""
        return change_at(self.changes, place)

    def read(self, start: int, stop: int) -> Pixels:
        """Pixels ``(N, H, W, C)`` of some images in a row.

        Raises:
            ReplayError: if a file cannot be read.
        """
        return np.stack(
            [
                apply_change(self.change_at(place), self.read_image(self.order[place]), place)
                for place in range(start, stop)
            ]
        )


def open_stream(
    path: Path,
    preprocessing: Preprocessing,
    classes: Sequence[str],
    changes: Sequence[Change],
    labels: Path | None = None,
) -> Stream:
    """Open a folder of image files, in the order of their names, or arrays in a file.

    Args:
        path: the folder, or an ``.npz`` file with ``images`` uint8 ``(N, H, W)`` or ``(N, H, W, 3)``, and
            where they are known ``labels``, integers ``(N,)`` that count the classes from 0.
        preprocessing: how an image becomes the input of the network.
        classes: names of the classes.
        changes: changes of the camera.
        labels: CSV file with columns ``file`` and ``label``, for a folder.

    Raises:
        ReplayError: if there are no images, or their labels are not classes.
    """
    if path.suffix == ARRAYS and labels is not None:
        raise ReplayError(f"{path} has its labels inside; --labels is for folders")
    read_image, names = (
        _open_arrays(path, preprocessing, classes)
        if path.suffix == ARRAYS
        else _open_folder(path, preprocessing, labels)
    )
    if not names:
        raise ReplayError(f"{path} contains no images")
    unknown = sorted({name for name in names if name is not None} - set(classes))
    if unknown:
        raise ReplayError(
            f"the label {unknown[0]!r} is none of the bundle's classes, {', '.join(classes[:20])}"
        )
    return Stream(read_image, names, range(len(names)), changes)


def reordered(stream: Stream, order: Literal["shuffled", "by-class"], seed: int) -> Stream:
    """The same images in another order.

    Args:
        stream: the stream as it was recorded.
        order: ``shuffled``, or ``by-class``: all images of the first class before those of the second.
        seed: seed of the order; within a class it is random, too.

    Raises:
        ReplayError: if images are to be sorted whose labels are not known.
    """
    shuffled = np.random.default_rng(seed).permutation(len(stream)).tolist()
    if order == "shuffled":
        return replace(stream, order=shuffled)
    if None in stream.labels:
        raise ReplayError("the order by-class needs a label for every image")
    return replace(stream, order=sorted(shuffled, key=lambda number: str(stream.labels[number])))


def _open_folder(
    folder: Path, preprocessing: Preprocessing, labels: Path | None
) -> tuple[ReadImage, list[str | None]]:
    if not folder.is_dir():
        raise ReplayError(f"{folder} is not a folder, and not an {ARRAYS} file")
    paths = find_images(folder).paths
    known = {} if labels is None else _read_labels(labels)
    missing = set(known) - set(paths)
    if missing:
        raise ReplayError(f"{labels} names {min(missing)}, which is not an image in {folder}")

    def read_image(number: int) -> Pixels:
        path = folder / paths[number]
        try:
            return preprocessing.read(path.read_bytes())
        except (ImageError, OSError) as error:
            raise ReplayError(f"{path} {error}") from error

    return read_image, [known.get(path) for path in paths]


def _read_labels(path: Path) -> Mapping[str, str]:
    try:
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            if not {"file", "label"} <= set(rows.fieldnames or ()):
                raise ReplayError(f"{path} must have a first line with file and label")
            return {row["file"]: row["label"] for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReplayError(f"cannot read {path}: {describe_error(error)}") from error


def _open_arrays(
    path: Path, preprocessing: Preprocessing, classes: Sequence[str]
) -> tuple[ReadImage, list[str | None]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images = arrays["images"]
            labels = arrays.get("labels")
    except (KeyError, OSError, ValueError, EOFError, BadZipFile) as error:
        raise ReplayError(f"cannot read images from {path}: {describe_error(error)}") from error
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise ReplayError(
            f"{path}: images must be uint8 (N, H, W) or (N, H, W, 3), not {images.dtype} {images.shape}"
        )
    return (
        lambda number: preprocessing.pixels(Image.fromarray(images[number])),
        _names(path, labels, len(images), classes),
    )


def _names(
    path: Path, labels: NDArray[Any] | None, count: int, classes: Sequence[str]
) -> list[str | None]:
    if labels is None:
        return [None] * count
    fits = labels.shape == (count,) and np.issubdtype(labels.dtype, np.integer)
    if not fits or (count and not 0 <= labels.min() <= labels.max() < len(classes)):
        raise ReplayError(f"{path}: labels must be one integer per image, 0 to {len(classes) - 1}")
    return [classes[label] for label in labels]
