"""Predictions by class, with or without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rn_model.report.run_files import Arrays

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Confusion(NamedTuple):
    """Images of one class that were predicted as another.

    Attributes:
        true: name of the true class.
        predicted: name of the predicted class.
        images: number of such images.
        share: share of the labelled images of ``true``.
    """

    true: str
    predicted: str
    images: int
    share: float


class ClassRow(NamedTuple):
    """A row of the table of classes; undefined values are NaN, ``number`` is the index of the output."""

    number: int
    name: str
    support: int
    predicted: int
    share: float
    recall: float
    precision: float
    confidence: float


@dataclass(frozen=True)
class ClassReport:
    """Predictions for ``M`` images among ``K`` classes.

    Attributes:
        names: names of the classes.
        images: number of images, ``M``.
        confusion: counts of the labelled images, true class by predicted class, ``(K, K)``.
        predicted: counts of all images by predicted class, ``(K,)``.
        confidence: mean confidence by predicted class, ``(K,)``; NaN for classes never predicted. The
            confidence of an image is its maximum probability.
        mean_confidence: mean confidence over all images.
    """

    names: tuple[str, ...]
    images: int
    confusion: Counts
    predicted: Counts
    confidence: Floats
    mean_confidence: float

    @property
    def labelled(self) -> int:
        """Number of images whose class is known."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Accuracy on the labelled images; NaN if there are none."""
        return float(_divided(np.trace(self.confusion), self.confusion.sum()))

    @property
    def recall(self) -> Floats:
        """Recall by class, ``(K,)``; NaN for classes without labelled images."""
        return _divided(np.diagonal(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> Floats:
        """Precision by class on labelled images, ``(K,)``; NaN for classes never predicted."""
        return _divided(np.diagonal(self.confusion), self.confusion.sum(axis=0))

    @property
    def mean_recall(self) -> float:
        """Mean recall over the classes with labelled images; NaN if there are none."""
        known = self.recall[~np.isnan(self.recall)]
        return float(known.mean()) if len(known) else float("nan")

    def rows(self) -> list[ClassRow]:
        """One row per class: lowest recall first with labels, else most frequently predicted first."""
        recall, precision, support = self.recall, self.precision, self.confusion.sum(axis=1)
        rows = [
            ClassRow(
                k,
                name,
                int(support[k]),
                int(self.predicted[k]),
                float(self.predicted[k] / self.images),
                float(recall[k]),
                float(precision[k]),
                float(self.confidence[k]),
            )
            for k, name in enumerate(self.names)
        ]
        if self.labelled:
            return sorted(rows, key=lambda row: (np.isnan(row.recall), row.recall))
        return sorted(rows, key=lambda row: -row.predicted)

    def largest_confusions(self, most: int = 20) -> list[Confusion]:
        """Pairs of classes with the most wrong predictions, in descending order."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        support = self.confusion.sum(axis=1)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = [divmod(int(place), len(self.names)) for place in order]
        return [
            Confusion(
                self.names[true],
                self.names[predicted],
                int(wrong[true, predicted]),
                float(wrong[true, predicted] / support[true]),
            )
            for true, predicted in pairs
            if wrong[true, predicted]
        ]


def class_report(arrays: Arrays, names: Sequence[str]) -> ClassReport | None:
    """Count predictions by class.

    Args:
        arrays: ``target_probability`` ``(M, K)`` and ``target_true`` ``(M,)``, -1 where unknown.
        names: names of the classes; numbers are used instead if there are not ``K`` names.

    Returns:
        The report, or None if there are no predictions.

    Raises:
        ValueError: if the arrays are invalid or inconsistent.
    """
    probability = arrays.get("target_probability")
    if probability is None or len(probability) == 0:
        return None
    if probability.ndim != 2 or not np.isfinite(probability).all():
        raise ValueError("target_probability must be finite, of shape (images, classes)")
    images, classes = probability.shape
    true = arrays.get("target_true", np.full(images, -1))
    if true.shape != (images,) or true.max() >= classes:
        raise ValueError(f"target_true must contain {images} classes below {classes}, or -1")
    best, confidence = probability.argmax(axis=1), probability.max(axis=1).astype(np.float64)
    predicted = np.bincount(best, minlength=classes)
    known = true >= 0
    pairs = true[known] * classes + best[known]
    return ClassReport(
        names=tuple(names) if len(names) == classes else tuple(map(str, range(classes))),
        images=images,
        confusion=np.bincount(pairs, minlength=classes**2).reshape(classes, classes),
        predicted=predicted,
        confidence=_divided(np.bincount(best, weights=confidence, minlength=classes), predicted),
        mean_confidence=float(confidence.mean()),
    )


def _divided(part: Counts | Floats, whole: Counts) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Floats = np.true_divide(part, whole)
    return result
