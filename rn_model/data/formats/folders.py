"""Folders of image files: one subfolder per class, or images without labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rn_model.data.errors import DataError, shortened
from rn_model.data.formats.contents import Contents
from rn_model.data.formats.image_files import FilePictures, find_folder_images, folder_names

# Names of folders that divide a data set, as downloads often come.
_SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing", "eval")


def open_folder(path: Path, *, labels: bool | None) -> Contents:
    """Find the images of a folder.

    Args:
        path: the folder.
        labels: True requires one subfolder per class; False finds images at any depth and ignores
            labels; None treats images that lie directly in the folder as unlabelled, and subfolders
            as classes.

    Raises:
        DataError: if the folder is missing or has no images, if images lie beside class folders, or if
            the folders are splits, such as train and val, with the classes below them.
    """
    if path.is_file():
        raise DataError(
            f"{path} is a file; the path of a data set must be a folder or an .npz file"
        )
    if not path.is_dir():
        raise DataError(f"folder not found: {path}")
    found = find_folder_images(path)
    passed_over = tuple(f"{path}: {line}" for line in found.describe_passed_over())
    paths = found.paths
    if not paths:
        raise DataError("; ".join([f"no images in folder {path}", *found.describe_passed_over()]))
    loose = [image for image in paths if "/" not in image]
    pictures = FilePictures(path, paths)
    if labels is False or (labels is None and len(loose) == len(paths)):
        return Contents(pictures, None, None, passed_over)
    if loose:
        raise DataError(
            f"{path} needs one folder per class, but contains images directly:"
            f" {shortened(loose, 2)}; labels: false uses all images without labels"
        )
    _check_not_splits(path, paths)
    classes = tuple(folder_names(path))
    places = {name: place for place, name in enumerate(classes)}
    numbers = [places[image.partition("/")[0]] for image in paths]
    return Contents(pictures, np.array(numbers, dtype=np.int64), classes, passed_over)


def _check_not_splits(path: Path, paths: Sequence[str]) -> None:
    """Refuse ``train/cat/1.jpg``, of which ``train`` would become a class."""
    parts = [image.split("/") for image in paths]
    tops = sorted({part[0] for part in parts})
    if all(top.casefold() in _SPLITS for top in tops) and all(len(part) > 2 for part in parts):
        first = next((top for top in tops if top.casefold().startswith("train")), tops[0])
        raise DataError(
            f"{path} is divided into {' and '.join(tops)}, which are not classes: set its path to"
            f" {path / first}, or move the class folders up"
        )
