"""Folders of image files: one subfolder per class, or images without labels."""

from pathlib import Path

import numpy as np

from rn_model.data.errors import DataError, shortened
from rn_model.data.formats.contents import Contents
from rn_model.data.formats.image_files import FilePictures, find_folder_images, folder_names


def open_folder(path: Path, *, labels: bool | None) -> Contents:
    """Find the images of a folder.

    Args:
        path: the folder.
        labels: True requires one subfolder per class; False finds images at any depth and ignores
            labels; None treats images that lie directly in the folder as unlabelled, and subfolders
            as classes.

    Raises:
        DataError: if the folder is missing or has no images, or if images lie beside class folders.
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
    classes = tuple(folder_names(path))
    places = {name: place for place, name in enumerate(classes)}
    numbers = [places[image.partition("/")[0]] for image in paths]
    return Contents(pictures, np.array(numbers, dtype=np.int64), classes, passed_over)
