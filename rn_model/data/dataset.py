"""Opens one data set as its configuration describes."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from bundle.preprocessing import Preprocessing
from rn_model.data.cache import PixelCache
from rn_model.data.config import DatasetConfig, expand
from rn_model.data.errors import DataError, shortened
from rn_model.data.formats.built_in import open_built_in
from rn_model.data.formats.contents import Contents
from rn_model.data.formats.folders import open_folder
from rn_model.data.formats.image_files import FilePictures
from rn_model.data.formats.lists import open_list
from rn_model.data.formats.npz import open_npz
from rn_model.data.sets import Indices, PictureSet


class Opened(NamedTuple):
    """An image set, and one line per file that was skipped because it cannot be read."""

    images: PictureSet
    skipped: tuple[str, ...]


def open_dataset(
    config: DatasetConfig,
    preprocessing: Preprocessing,
    base: Path,
    classes: tuple[str, ...] | None = None,
) -> Opened:
    """Find the images of a data set and select those that the configuration asks for.

    Image files are not read yet, except to check them with ``unreadable: skip``.

    Args:
        config: location and selection.
        preprocessing: contract by which the images are read.
        base: folder that relative paths start from.
        classes: names of the label numbers, if the data set itself does not name them.

    Raises:
        DataError: if nothing is found, or something other than what the configuration describes.
    """
    found = _find(config, base, classes)
    places = np.arange(len(found.pictures), dtype=np.int64)
    skipped = found.passed_over
    if config.unreadable == "skip" and isinstance(found.pictures, FilePictures):
        bad = found.pictures.unreadable(preprocessing)
        places = np.setdiff1d(places, np.array(list(bad), dtype=np.int64))
        skipped += tuple(bad.values())
    places = places[_selected(config, found)[places]]
    if config.draw is not None:
        if config.draw.count > len(places):
            raise DataError(
                f"{config.title}: cannot draw {config.draw.count} images from {len(places)}"
            )
        generator = np.random.default_rng(config.draw.seed)
        places = np.sort(generator.choice(places, config.draw.count, replace=False))
    if len(places) == 0:
        raise DataError(f"{config.title}: no images are left after the selection")
    keep = config.cache
    if keep is None:
        keep = not isinstance(found.pictures, FilePictures)
    images = PictureSet(
        name=config.title,
        pictures=found.pictures,
        indices=places,
        labels=None if found.labels is None else found.labels[places],
        classes=found.classes,
        preprocessing=preprocessing,
        cache=PixelCache(len(found.pictures), preprocessing.shape) if keep else None,
    )
    return Opened(images, skipped)


def _find(config: DatasetConfig, base: Path, classes: tuple[str, ...] | None) -> Contents:
    if config.built_in is not None:
        found = open_built_in(config.built_in, count=config.count, seed=config.seed)
        return found if config.labels is not False else found._replace(labels=None, classes=None)
    names = config.classes or classes
    if config.list is not None:
        path = expand(config.list, base)
        root = path.parent if config.root is None else expand(config.root, base)
        complete = config.unreadable == "error"
        return open_list(path, root, labels=config.labels, classes=names, complete=complete)
    assert config.path is not None
    path = expand(config.path, base)
    if path.suffix.lower() != ".npz":
        return open_folder(path, labels=config.labels)
    found = open_npz(path, config)
    if found.labels is None:
        return found._replace(classes=None)
    if names is not None and len(found.labels) and found.labels.max() >= len(names):
        raise DataError(
            f"{path}: {config.labels_key!r} contains {found.labels.max()}, which is out of range for"
            f" {len(names)} classes (0 to {len(names) - 1})"
        )
    return found._replace(classes=names)


def _selected(
    config: DatasetConfig, found: Contents
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    if config.only is None:
        return np.ones(len(found.pictures), dtype=np.bool_)
    if found.labels is None:
        raise DataError(f"{config.title}: 'only' needs labels, and there are none")
    names = found.classes or numbered(found.labels)
    missing = [name for name in config.only if name not in names]
    if missing:
        raise DataError(
            f"{config.title}: 'only' lists unknown classes: {shortened(missing)}; the classes are"
            f" {shortened(names, 20)}"
        )
    return np.isin(found.labels, [names.index(name) for name in config.only])


def numbered(labels: Indices) -> tuple[str, ...]:
    """Names for classes that only have numbers: ``"0"``, ``"1"``, ..."""
    return tuple(str(number) for number in range(int(labels.max(initial=-1)) + 1))
