"""Class shares of both domains, the target's estimated without labels, and how far they differ."""

from collections.abc import Sequence
from math import sqrt
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import nnls

LIMIT = 0.15
# With more classes, the matrix of their confusion is not kept.
MAX_CLASSES = 200
_SUM_WEIGHT = 1e3

Share = Annotated[float, Field(ge=0, le=1)]
Floats = NDArray[np.float64]


class ClassShares(BaseModel):
    """Shares of ``K`` classes among the images of each domain.

    Attributes:
        source: shares among the labelled source images, ``(K,)``.
        target: shares among the target images, estimated without their labels, ``(K,)``.
        images: number of target images of the estimate.
        confusion: mean prediction for held-out source images by their class, ``(K, K)``, a row for each;
            None where it is not known, or too large to keep.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: tuple[Share, ...]
    target: tuple[Share, ...]
    images: int = Field(ge=1)
    confusion: tuple[tuple[Share, ...], ...] | None = None

    @property
    def distance(self) -> float:
        """Total variation distance of the shares: half the sum of all differences, 0 to 1."""
        return sum(abs(p - q) for p, q in zip(self.source, self.target, strict=True)) / 2

    @property
    def by_chance(self) -> float:
        """Expected distance if both domains had the shares of the source, from the number of images."""
        deviations = (sqrt(p * (1 - p) / self.images) for p in self.source)
        return sum(deviations) * sqrt(2 / np.pi) / 2

    @property
    def differ(self) -> bool:
        """Whether the distance exceeds what chance explains by more than :data:`LIMIT`."""
        return self.distance > self.by_chance + LIMIT

    def warning(self, names: Sequence[str]) -> str | None:
        """A warning if the shares differ, with the classes that differ most; None otherwise."""
        if not self.differ:
            return None
        rows = sorted(
            zip(names, self.source, self.target, strict=True), key=lambda row: -abs(row[1] - row[2])
        )
        listed = ", ".join(f"{name} {p:.0%} and {q:.0%}" for name, p, q in rows[:3])
        return (
            f"The class shares of source and target seem to differ by {self.distance:.0%} (most: {listed})."
            " Objectives and label-free scores then can prefer a network that is less accurate. Label some"
            " target images and set task.probe to select by them."
        )


def estimate_class_shares(
    source_labels: NDArray[Any],
    held_out: tuple[NDArray[Any], NDArray[Any]],
    target_probability: NDArray[Any],
) -> ClassShares:
    """Estimate the class shares of unlabelled images by black-box shift estimation.

    Source: Lipton et al., arXiv:1802.03916, section 4. If the domains differ in class shares alone, the
    mean prediction for the target is ``C q``, where column ``k`` of ``C`` is the mean prediction for
    source images of class ``k``. The shares ``q`` are its non-negative least-squares solution with sum 1.
    Where images look different in the target, the estimate contains the errors of the network.

    Args:
        source_labels: labels of the source's training images, ``(N,)``.
        held_out: predictions ``(V, K)`` for held-out source images, and their labels ``(V,)``.
        target_probability: predictions for target images, ``(M, K)``.
    """
    probability, labels = held_out
    images, classes = target_probability.shape
    # A class without held-out images is taken to be predicted without errors.
    confusion = np.eye(classes)
    for number in np.unique(labels):
        confusion[:, number] = probability[labels == number].mean(axis=0)
    equations = np.vstack([confusion, np.full((1, classes), _SUM_WEIGHT)])
    mean = target_probability.mean(axis=0, dtype=np.float64)
    solution, _ = nnls(equations, np.append(mean, _SUM_WEIGHT))
    return ClassShares(
        source=_shares(np.bincount(source_labels, minlength=classes)),
        target=_shares(solution),
        images=images,
        confusion=_rows(confusion.T) if classes <= MAX_CLASSES else None,
    )


def _rows(matrix: Floats) -> tuple[tuple[float, ...], ...]:
    # Rounded, because the record is text.
    return tuple(tuple(float(value) for value in row) for row in matrix.clip(0, 1).round(6))


def _shares(amounts: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(share) for share in amounts / amounts.sum())
