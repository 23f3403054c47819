"""Images that lie in memory: ``.npz`` files and the digits that come with the program."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bundle.preprocessing import Pixels, Preprocessing
from rn_model.data.config import BuiltIn, DatasetConfig
from rn_model.data.errors import DataError
from rn_model.data.sets import Indices, Pictures

PRINTED_DIGITS = 5000
_SPLITS = {"train": 0, "test": 1}


class Found(NamedTuple):
    """What is at a place.

    Attributes:
        pictures: the images ``N``.
        labels: ``(N,)`` from 0, if known.
        classes: the names of the labels, if known.
    """

    pictures: Pictures
    labels: Indices | None
    classes: tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class ArrayPictures:
    """Images ``(N, H, W)`` or ``(N, H, W, 3)``, uint8."""

    array: Pixels

    def __len__(self) -> int:
        return len(self.array)

    def pixels(self, index: int, preprocessing: Preprocessing) -> Pixels:
        """One image ``(H, W, C)`` by the contract."""
        return preprocessing.pixels(Image.fromarray(self.array[index]))

    def describe(self, indices: Indices) -> "hashlib._Hash":
        """A SHA-256 of shape and pixels."""
        digest = hashlib.sha256(str((len(indices), *self.array.shape[1:])).encode())
        for index in indices:
            digest.update(self.array[index].tobytes())
        return digest


def open_npz(path: Path, config: DatasetConfig) -> Found:
    """Read the arrays of a file.

    Raises:
        DataError: if the file or an array is missing or is not as :class:`DatasetConfig` says.
    """
    keys = [config.images_key]
    with _load(path) as arrays:
        has_labels = config.labels_key in arrays
        if has_labels or config.labels:
            keys.append(config.labels_key)
        if config.split is not None:
            keys.append(config.split_key)
        found = {key: _array(path, arrays, key) for key in keys}
    images = _images(path, config.images_key, found[config.images_key])
    labels = None
    if config.labels_key in found and config.labels is not False:
        labels = _numbers(path, config.labels_key, found[config.labels_key], len(images))
        if len(labels) and labels.min() < 0:
            raise DataError(
                f"{path}: {config.labels_key!r} holds {labels.min()}; labels count from 0"
            )
    if config.split is not None:
        split = _numbers(path, config.split_key, found[config.split_key], len(images))
        if not np.isin(split, list(_SPLITS.values())).all():
            raise DataError(f"{path}: {config.split_key!r} must hold 0 (train) and 1 (test) only")
        chosen = split == _SPLITS[config.split]
        images, labels = images[chosen], None if labels is None else labels[chosen]
    return Found(ArrayPictures(images), labels, config.classes)


def open_built_in(name: BuiltIn, *, count: int | None, seed: int | None) -> Found:
    """Digits printed in fonts, or handwritten ones."""
    # They need matplotlib and scikit-learn, which other sets do without.
    from sklearn.datasets import load_digits

    from rn_model.digits.images import CLASSES, digit_image
    from rn_model.digits.rendering import render_digits

    if name == "printed-digits":
        images, labels = render_digits(count or PRINTED_DIGITS, seed=seed or 0)
    else:
        digits = load_digits()
        images = np.stack([np.asarray(digit_image(values)) for values in digits.images])
        labels = np.asarray(digits.target, dtype=np.int64)
    return Found(ArrayPictures(images), labels, CLASSES)


@contextmanager
def _load(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    # numpy leaves a file open that it cannot read.
    with path.open("rb") as file:
        try:
            arrays = np.load(file, allow_pickle=False)
        except (EOFError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is not an .npz file: {error}") from error
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise DataError(f"{path} is not an .npz file: it holds a single array")
        with arrays:
            yield arrays


def _array(path: Path, arrays: Any, key: str) -> NDArray[Any]:
    if key not in arrays:
        raise DataError(f"{path} holds no array {key!r}, only {', '.join(arrays) or 'nothing'}")
    try:
        array: NDArray[Any] = arrays[key]
    except (EOFError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: {key!r} cannot be read: {error}") from error
    return array


def _images(path: Path, key: str, array: NDArray[Any]) -> Pixels:
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.dtype != np.uint8 or not (
        array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)
    ):
        raise DataError(
            f"{path}: {key!r} must be uint8 (N, H, W), (N, H, W, 1) or (N, H, W, 3),"
            f" not {array.dtype} {array.shape}"
        )
    return array


def _numbers(path: Path, key: str, array: NDArray[Any], count: int) -> Indices:
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{path}: {key!r} must be whole numbers ({count},), not {array.dtype} {array.shape}"
        )
    return array.astype(np.int64)
