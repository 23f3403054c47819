"""What the network predicts, class by class, with or without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rn_model.report.run_files import Arrays

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Confusion(NamedTuple):
    """Images of one class that were taken for another.

    Attributes:
        true, predicted: names of the classes.
        images: how many.
        share: of the labelled images of ``true``.
    """

    true: str
    predicted: str
    images: int
    share: float


class ClassRow(NamedTuple):
    """One class in the table; what is not defined is NaN. Its ``number`` is that of the output."""

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
    """Predictions of ``M`` images among ``K`` classes.

    Attributes:
        names: of the classes.
        images: ``M``.
        confusion: ``(K, K)`` counts of the labelled images, true class by predicted class.
        predicted: ``(K,)`` counts of all images.
        confidence: ``(K,)`` mean of the greatest probability of the images of a predicted class; NaN
            where there are none.
        mean_confidence: the same over all images.
    """

    names: tuple[str, ...]
    images: int
    confusion: Counts
    predicted: Counts
    confidence: Floats
    mean_confidence: float

    @property
    def labelled(self) -> int:
        """Images whose class is known."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Of the labelled images; NaN without."""
        return float(_divided(np.trace(self.confusion), self.confusion.sum()))

    @property
    def recall(self) -> Floats:
        """``(K,)``; NaN for a class without labelled images."""
        return _divided(np.diagonal(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> Floats:
        """``(K,)``, on labelled images; NaN for a class that is never predicted."""
        return _divided(np.diagonal(self.confusion), self.confusion.sum(axis=0))

    @property
    def mean_recall(self) -> float:
        """Over the classes that have labelled images; NaN without."""
        known = self.recall[~np.isnan(self.recall)]
        return float(known.mean()) if len(known) else float("nan")

    def rows(self) -> list[ClassRow]:
        """One a class: the worst recall first where there are labels, else as predicted most often."""
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
        """Pairs of classes with the most mistaken images, the largest first."""
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
    """Count what was predicted.

    Args:
        arrays: ``target_probability`` ``(M, K)`` and ``target_true`` ``(M,)``, -1 where unknown.
        names: of the classes; where they are not ``K``, numbers take their place.

    Returns:
        None where there is no prediction.

    Raises:
        ValueError: if the arrays do not belong together.
    """
    probability = arrays.get("target_probability")
    if probability is None or len(probability) == 0:
        return None
    if probability.ndim != 2 or not np.isfinite(probability).all():
        raise ValueError("target_probability has to be finite, of shape (images, classes)")
    images, classes = probability.shape
    true = arrays.get("target_true", np.full(images, -1))
    if true.shape != (images,) or true.max() >= classes:
        raise ValueError(f"target_true has to hold {images} classes below {classes}, or -1")
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
