"""Data sets in ``.npz`` files."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from rn_model.data.config import DatasetConfig
from rn_model.data.errors import DataError
from rn_model.data.formats.arrays import ArrayPictures
from rn_model.data.formats.contents import Contents
from rn_model.data.sets import Indices

_SPLITS = {"train": 0, "test": 1}


def open_npz(path: Path, config: DatasetConfig) -> Contents:
    """Read images, labels and the train/test split from a file.

    Raises:
        DataError: if the file or an array is missing or differs from what :class:`DatasetConfig`
            describes.
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
        labels = _integers(path, config.labels_key, found[config.labels_key], len(images))
        if len(labels) and labels.min() < 0:
            raise DataError(
                f"{path}: {config.labels_key!r} contains {labels.min()}; labels count from 0"
            )
    if config.split is not None:
        split = _integers(path, config.split_key, found[config.split_key], len(images))
        if not np.isin(split, list(_SPLITS.values())).all():
            raise DataError(
                f"{path}: {config.split_key!r} must contain only 0 (train) and 1 (test)"
            )
        chosen = split == _SPLITS[config.split]
        images, labels = images[chosen], None if labels is None else labels[chosen]
    return Contents(ArrayPictures(images), labels, config.classes)


@contextmanager
def _load(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise DataError(f"file not found: {path}")
    # numpy leaves a file open when it fails to read it.
    with path.open("rb") as file:
        try:
            arrays = np.load(file, allow_pickle=False)
        except (EOFError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is not an .npz file: {error}") from error
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise DataError(f"{path} is not an .npz file: it contains a single array")
        with arrays:
            yield arrays


def _array(path: Path, arrays: Any, key: str) -> NDArray[Any]:
    if key not in arrays:
        raise DataError(f"{path} has no array {key!r}; it contains {', '.join(arrays) or 'none'}")
    try:
        array: NDArray[Any] = arrays[key]
    except (EOFError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot read {key!r}: {error}") from error
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


def _integers(path: Path, key: str, array: NDArray[Any], count: int) -> Indices:
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{path}: {key!r} must be integers of shape ({count},), not {array.dtype} {array.shape}"
        )
    return array.astype(np.int64)
