"""Sets of image files: folders of classes, folders without classes, and list files."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from rn_model.data.errors import DataError
from rn_model.data.formats.image_files import (
    FilePictures,
    folder_names,
    image_paths,
    is_image,
    shown,
)
from rn_model.data.formats.npz import Found


def open_folder(path: Path, *, labels: bool | None) -> Found:
    """Images of a folder.

    Args:
        labels: True for one folder a class, False for images at any depth without labels; None takes
            images that lie in the folder itself as unlabelled.

    Raises:
        DataError: if the folder is missing or has no images, or if images lie beside class folders.
    """
    if path.is_file():
        raise DataError(f"{path} is a file; a dataset's path is a folder or an .npz file")
    if not path.is_dir():
        raise DataError(f"there is no folder {path}")
    paths = image_paths(path)
    if not paths:
        raise DataError(f"there are no images in the folder {path}")
    loose = [image for image in paths if "/" not in image]
    pictures = FilePictures(path, tuple(paths))
    if labels is False or (labels is None and len(loose) == len(paths)):
        return Found(pictures, None, None)
    if loose:
        raise DataError(
            f"{path} needs one folder a class, but images lie in it directly: {shown(loose, 2)};"
            " labels: false takes them all without labels"
        )
    classes = tuple(folder_names(path))
    places = {name: place for place, name in enumerate(classes)}
    numbers = [places[image.partition("/")[0]] for image in paths]
    return Found(pictures, np.array(numbers, dtype=np.int64), classes)


def open_list(
    path: Path,
    root: Path,
    *,
    labels: bool | None,
    classes: Sequence[str] | None,
    complete: bool = True,
) -> Found:
    """Images of a list file with a line "path label" each.

    Without ``classes`` the folders in the paths name them if every label has a folder of its own, at
    some depth.

    Args:
        path: the list; empty lines, and those that begin with ``#``, are left out.
        root: folder that paths start from.
        labels: False ignores labels, which may then be missing.
        classes: names of the labels.
        complete: whether all files must be there.

    Raises:
        DataError: if the list, its root or a file is missing, if it names none, or if a line is
            broken, with its number.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError as error:
        raise DataError(f"there is no list {path}") from error
    except (OSError, UnicodeError) as error:
        raise DataError(f"cannot read the list {path}: {error}") from error
    if not root.is_dir():
        raise DataError(f"there is no folder {root}, where the paths in {path} start")
    paths: list[str] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            image, label = _parse(line.strip(), labels is not False, classes)
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from error
        paths.append(image)
        numbers.append(label)
    if not paths:
        raise DataError(f"the list {path} names no images")
    if complete:
        _check_exist(path, root, paths)
    pictures = FilePictures(root, tuple(paths))
    if labels is False:
        return Found(pictures, None, None)
    names = tuple(classes) if classes is not None else _names(paths, numbers)
    return Found(pictures, np.array(numbers, dtype=np.int64), names)


def _parse(line: str, labelled: bool, classes: Sequence[str] | None) -> tuple[str, int]:
    if not labelled and is_image(line):
        return line, -1
    image, _, label = line.replace("\t", " ").rpartition(" ")
    image = image.rstrip()
    if not image or not is_image(image):
        raise ValueError(f'{line!r} is not "path label" with the path of an image')
    if not labelled:
        return image, -1
    if classes is not None and label in classes:
        return image, list(classes).index(label)
    if not label.isascii() or not label.isdecimal():
        raise ValueError(f"the label {label!r} is not a number from 0")
    if classes is not None and int(label) >= len(classes):
        raise ValueError(f"the label {label} is beyond the {len(classes)} classes, counted from 0")
    return image, int(label)


def _check_exist(path: Path, root: Path, paths: Sequence[str]) -> None:
    missing = [image for image in paths if not os.path.isfile(os.path.join(root, image))]
    if missing:
        raise DataError(
            f"{path} names {len(missing)} files that are not in {root}, where its paths start:"
            f" {shown(missing, 2)}"
        )


def _names(paths: Sequence[str], numbers: Sequence[int]) -> tuple[str, ...] | None:
    """The folders that name the labels 0, 1, ..., or None if there are none."""
    folders = [PurePosixPath(path).parts[:-1] for path in paths]
    for depth in range(1, min(map(len, folders)) + 1):
        pairs = {(number, parts[-depth]) for number, parts in zip(numbers, folders, strict=True)}
        names = dict(pairs)
        if len(pairs) == len(names) == len(set(names.values())) > 1:
            return tuple(names.get(number, str(number)) for number in range(max(names) + 1))
    return None
