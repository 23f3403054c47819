"""Guard A: does a version lose more than harmless updates lose?

At export, ``K`` harmless updates are made, each from some images drawn at random from the target images,
and of each the drop ``D`` of a label-free score on the sample images is stored. A candidate is refused if
its own drop exceeds the ``ceil((1 - alpha) (K + 1))``-th smallest of them.

Source: inductive conformal prediction, Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random
World" (2005), section 4.1. If the images behind the candidate are exchangeable with the target images at
export, a harmless candidate is refused with a probability of at most ``alpha``. Where the domain has
changed they are not, so this guard is in force only while no change is seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ConformalGuard:
    """The largest drop that passes.

    Attributes:
        limit: largest drop of the score that a candidate may have.
        alpha: the level that is kept: the one that was asked for, or ``1 / (K + 1)`` if ``K`` updates
            are too few for it.
        updates: number of harmless updates.
    """

    limit: float
    alpha: float
    updates: int

    @classmethod
    def calibrated(cls, drops: Sequence[float], alpha: float) -> "ConformalGuard":
        """The guard that harmless drops make.

        Args:
            drops: drops of the score under harmless updates, in any order; one or more.
            alpha: largest allowed probability of refusing a harmless candidate, 0 to 1.

        Example:
            >>> ConformalGuard.calibrated([0.01 * k for k in range(99)], 0.01).limit
            0.98
            >>> round(ConformalGuard.calibrated([0.0] * 49, 0.01).alpha, 3)
            0.02
        """
        kept = max(alpha, 1 / (len(drops) + 1))
        rank = math.ceil(round((1 - kept) * (len(drops) + 1), 9))
        return cls(sorted(drops)[max(rank, 1) - 1], kept, len(drops))

    def reason(self, drop: float) -> str | None:
        """Why a candidate with this drop is refused; None if it is not.

        A drop that is not a number is refused: the scores are not finite.
        """
        if drop <= self.limit:
            return None
        return (
            f"the score on the sample images fell by {drop:.4f}; of harmless updates"
            f" {1 - self.alpha:.0%} fall by at most {self.limit:.4f}"
        )
