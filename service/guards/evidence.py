"""Guard E: a few labels, asked for only where they decide.

Labels of images on which two versions agree say nothing of which is better. On those where they differ, an
image counts ``+1`` if only the parent is right, ``-1`` if only the new version is, and 0 otherwise. While
the new version is no worse, the mean of these is at most 0, and

    E = mean over lambda of prod_i (1 + lambda x_i)

is a nonnegative supermartingale, which reaches ``1 / alpha`` with a probability of at most ``alpha``
(Ville), whenever labels arrive and however many. The same with ``-x`` confirms the version.

Source: Waudby-Smith and Ramdas, arXiv:2010.09686. Assumption: the labels are right, and the images are
chosen without knowing their labels, for example all or a random part of those that differ.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

BETS = (0.1, 0.25, 0.5, 0.75, 0.95)
Verdict = Literal["undecided", "worse", "better"]


@dataclass(frozen=True)
class Evidence:
    """What labels say of a version and its parent; immutable.

    Attributes:
        alpha: largest probability of a wrong verdict, for each direction.
        parent, version, neither: number of labelled images on which only the parent was right, only the
            version, or neither.
        harm, benefit: logarithm of the largest evidence so far that the version is worse, or better.
        log_harm, log_benefit: logarithms of the products for each of ``BETS``.
    """

    alpha: float
    parent: int = 0
    version: int = 0
    neither: int = 0
    harm: float = 0.0
    benefit: float = 0.0
    log_harm: tuple[float, ...] = (0.0,) * len(BETS)
    log_benefit: tuple[float, ...] = (0.0,) * len(BETS)

    def after(self, outcomes: Iterable[int]) -> "Evidence":
        """The evidence after more labels.

        Args:
            outcomes: for each image, +1 if only the parent is right, -1 if only the version is, else 0.
        """
        found = self
        for outcome in outcomes:
            found = found._after_one(outcome)
        return found

    def _after_one(self, outcome: int) -> "Evidence":
        bets = np.array(BETS)
        harm = np.array(self.log_harm) + np.log1p(bets * outcome)
        benefit = np.array(self.log_benefit) + np.log1p(-bets * outcome)
        return Evidence(
            self.alpha,
            self.parent + (outcome > 0),
            self.version + (outcome < 0),
            self.neither + (outcome == 0),
            max(self.harm, _log_mean(harm)),
            max(self.benefit, _log_mean(benefit)),
            tuple(harm.tolist()),
            tuple(benefit.tolist()),
        )

    @property
    def labels(self) -> int:
        """Number of labels so far."""
        return self.parent + self.version + self.neither

    @property
    def verdict(self) -> Verdict:
        """What the labels say, at the level."""
        needed = -float(np.log(self.alpha))
        if self.harm >= needed:
            return "worse"
        return "better" if self.benefit >= needed else "undecided"

    @property
    def reason(self) -> str:
        """The verdict in words."""
        counts = (
            f"of {self.labels} labelled images on which they differ, the parent alone is right on"
            f" {self.parent}, the version alone on {self.version}"
        )
        return {
            "worse": f"the version is worse than its parent: {counts}",
            "better": f"the version is better than its parent: {counts}",
            "undecided": f"not decided yet: {counts}",
        }[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """JSON values; the inverse of :meth:`from_json`."""
        return {
            "alpha": self.alpha,
            "parent": self.parent,
            "version": self.version,
            "neither": self.neither,
            "harm": self.harm,
            "benefit": self.benefit,
            "log_harm": list(self.log_harm),
            "log_benefit": list(self.log_benefit),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Evidence":
        """Read what :meth:`to_json` wrote."""
        return cls(
            **{
                **values,
                "log_harm": tuple(values["log_harm"]),
                "log_benefit": tuple(values["log_benefit"]),
            }
        )


def outcomes(parent: Iterable[str], version: Iterable[str], labels: Iterable[str]) -> list[int]:
    """What labels say of two versions' predictions, as :meth:`Evidence.after` takes it."""
    return [
        (was == label) - (now == label)
        for was, now, label in zip(parent, version, labels, strict=True)
    ]


def _log_mean(logs: "np.ndarray[Any, np.dtype[np.float64]]") -> float:
    top = logs.max()
    return float(top + np.log(np.mean(np.exp(logs - top))))
