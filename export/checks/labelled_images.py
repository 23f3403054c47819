"""Reads the labelled target images on which accuracy is reported."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from bundle.preprocessing import Preprocessing
from export.checks.images import LabelledImages
from rn_model.data import DataError, DatasetConfig, open_dataset
from rn_model.data.classes import relabel


def read_labelled(
    path: Path, classes: Sequence[str], preprocessing: Preprocessing
) -> LabelledImages:
    """Read all images of a labelled set.

    Args:
        path: a folder with one subfolder per class, or an ``.npz`` file with ``images`` and ``labels``.
        classes: classes of the model in the order of its logits.
        preprocessing: preprocessing contract of the model.

    Raises:
        DataError: if an image cannot be read, or if the set has no labels or different classes.
    """
    opened = open_dataset(DatasetConfig(path=str(path)), preprocessing, Path.cwd())
    for line in opened.skipped:
        warnings.warn(line, stacklevel=2)
    found = relabel(opened.images, tuple(classes), "test")
    if found.labels is None:
        raise DataError(f"{path} has no labels: provide one subfolder per class")
    return LabelledImages(found.read(range(len(found))), found.labels)
