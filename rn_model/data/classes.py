"""Reconciles the classes of several image sets."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rn_model.data.dataset import numbered
from rn_model.data.errors import DataError, shortened
from rn_model.data.sets import PictureSet

_FEWEST = 2


def common_classes(sources: Sequence[PictureSet]) -> tuple[str, ...]:
    """The classes that all sources share, in the order of the first source.

    Raises:
        DataError: if a source has no labels, or classes that another source lacks.
    """
    for source in sources:
        if source.labels is None:
            raise DataError(
                f"source {source.name} has no labels; it needs one folder per class, or labels in a"
                " list or an .npz file"
            )
    named = [source for source in sources if source.classes is not None]
    if not named:
        return max((_names(source) for source in sources), key=len)
    classes = _names(named[0])
    for other in named[1:]:
        names = _names(other)
        for here, there, one, two in (
            (classes, names, named[0], other),
            (names, classes, other, named[0]),
        ):
            missing = [name for name in here if name not in there]
            if missing:
                raise DataError(
                    f"the classes of the sources differ: {shortened(missing)} in {one.name}, but not"
                    f" in {two.name}"
                )
    return classes


def check_sources(sources: Sequence[PictureSet], classes: Sequence[str]) -> None:
    """Check that the sources contain at least two classes, and images of each.

    Raises:
        DataError: if there are fewer than two classes, or a class has no images.
    """
    if len(classes) < _FEWEST:
        raise DataError(
            f"at least two classes are needed, found {len(classes)}: {', '.join(classes)}"
        )
    counts = sum(np.bincount(_known(source), minlength=len(classes)) for source in sources)
    missing = [
        name for name, count in zip(classes, np.atleast_1d(counts), strict=True) if not count
    ]
    if missing:
        names = " + ".join(source.name for source in sources)
        raise DataError(f"source {names} has no images of class {shortened(missing)}")


def relabel(images: PictureSet, classes: tuple[str, ...], role: str) -> PictureSet:
    """The same images with labels that are indices into ``classes``.

    Args:
        images: set whose own classes may have another order.
        classes: names of the classes of the task.
        role: role of the set in the task, for messages.

    Raises:
        DataError: if an image has a class that is not in ``classes``.
    """
    if images.labels is None:
        return replace(images, classes=None)
    if images.classes is None:
        if images.labels.max() >= len(classes):
            raise DataError(
                f"{role} {images.name} has the label {images.labels.max()}, which is out of range for"
                f" {len(classes)} classes (0 to {len(classes) - 1})"
            )
        return replace(images, classes=classes)
    present = [images.classes[number] for number in np.unique(images.labels)]
    unknown = [name for name in present if name not in classes]
    if unknown:
        known = f"the classes are {shortened(classes, 10)}"
        hint = "; if its folders are not classes, set labels: false" if role == "target" else ""
        raise DataError(
            f"{role} {images.name} has unknown classes: {shortened(unknown)}; {known}{hint}"
        )
    places = {name: place for place, name in enumerate(classes)}
    table = np.array([places.get(name, -1) for name in images.classes], dtype=np.int64)
    return replace(images, labels=table[images.labels], classes=classes)


def _names(source: PictureSet) -> tuple[str, ...]:
    return source.classes or numbered(_known(source))


def _known(source: PictureSet) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    assert source.labels is not None
    return source.labels
