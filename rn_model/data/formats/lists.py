"""List files: text files with a line ``path label`` per image, as benchmarks publish them."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from bundle.images.formats import is_image_name
from rn_model.data.errors import DataError, shortened
from rn_model.data.formats.contents import Contents
from rn_model.data.formats.image_files import FilePictures


def open_list(
    path: Path,
    root: Path,
    *,
    labels: bool | None,
    classes: Sequence[str] | None,
    complete: bool = True,
) -> Contents:
    """Find the images of a list file with a line ``path label`` per image.

    If ``classes`` is None and every label has a folder of its own at some depth of the paths, the
    names of these folders become the names of the classes.

    Args:
        path: the list; empty lines and lines that begin with ``#`` are ignored.
        root: folder that the paths in the list are relative to.
        labels: False ignores labels, which may then be missing.
        classes: names of the labels.
        complete: whether all files must exist.

    Raises:
        DataError: if the list, its root or a file is missing, if the list is empty, or if a line is
            invalid; the message gives the number of the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError as error:
        raise DataError(f"list file not found: {path}") from error
    except (OSError, UnicodeError) as error:
        raise DataError(f"cannot read list file {path}: {error}") from error
    if not root.is_dir():
        raise DataError(f"folder not found: {root} (the root of the paths in {path})")
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
        raise DataError(f"list file {path} contains no images")
    if complete:
        _check_exist(path, root, paths)
    pictures = FilePictures(root, tuple(paths))
    if labels is False:
        return Contents(pictures, None, None)
    names = tuple(classes) if classes is not None else _names(paths, numbers)
    return Contents(pictures, np.array(numbers, dtype=np.int64), names)


def _parse(line: str, labelled: bool, classes: Sequence[str] | None) -> tuple[str, int]:
    if not labelled and is_image_name(line):
        return line, -1
    image, _, label = line.replace("\t", " ").rpartition(" ")
    image = image.rstrip()
    if not image or not is_image_name(image):
        raise ValueError(f'{line!r} is not of the form "path label" with the path of an image')
    if not labelled:
        return image, -1
    if classes is not None and label in classes:
        return image, list(classes).index(label)
    if not label.isascii() or not label.isdecimal():
        raise ValueError(f"label {label!r} is not an integer of 0 or more")
    if classes is not None and int(label) >= len(classes):
        raise ValueError(
            f"label {label} is out of range for {len(classes)} classes (0 to {len(classes) - 1})"
        )
    return image, int(label)


def _check_exist(path: Path, root: Path, paths: Sequence[str]) -> None:
    missing = [image for image in paths if not os.path.isfile(os.path.join(root, image))]
    if missing:
        raise DataError(
            f"{path} lists {len(missing)} files that do not exist in {root}:"
            f" {shortened(missing, 2)}"
        )


def _names(paths: Sequence[str], numbers: Sequence[int]) -> tuple[str, ...] | None:
    """Names of the labels 0, 1, ... taken from the folders in the paths; None if they do not fit."""
    folders = [PurePosixPath(path).parts[:-1] for path in paths]
    for depth in range(1, min(map(len, folders)) + 1):
        pairs = {(number, parts[-depth]) for number, parts in zip(numbers, folders, strict=True)}
        names = dict(pairs)
        if len(pairs) == len(names) == len(set(names.values())) > 1:
            return tuple(names.get(number, str(number)) for number in range(max(names) + 1))
    return None
