"""How far the last images are from those before, and the domain from the exported one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.interface import feature_names
from bundle.loaded import Bundle
from service.adaptation.change import MIN_ERROR, stack
from service.adaptation.memory import DomainMemory
from service.guards.publication import mean_shift
from service.ledger.records import Target

# Fewer images say nothing.
MIN_IMAGES = 8


@dataclass(frozen=True)
class FeatureDifference:
    """Means of an input feature, as logarithms, and their difference in standard errors."""

    feature: str
    recent: float
    domain: float
    z: float


@dataclass(frozen=True)
class DriftReport:
    """What is known of a target's drift.

    Attributes:
        domain: number of the domain.
        images: number of last images.
        features: differences of the last images from the domain's before them; empty if either are few.
        shift: mean distance of the domain's means from the exported ones, in standard deviations.
        shares: class shares of the domain as they are predicted; empty without images.
    """

    domain: int
    images: int
    features: Sequence[FeatureDifference]
    shift: float
    shares: NDArray[np.float64]

    @property
    def z(self) -> float | None:
        """Largest difference of a feature; None if there are too few images."""
        return max((feature.z for feature in self.features), default=None)


def report_drift(target: Target, bundle: Bundle, memory: DomainMemory) -> DriftReport:
    """Describe the drift of a target.

    Args:
        target: the target.
        bundle: its bundle.
        memory: what is remembered of its domain.
    """
    state = target.state
    reference = stack(list(memory.reference), 0)
    recent = stack([arrival.features for arrival in memory.window], 0)
    shift = mean_shift(bundle.target, state.moments) if state.count else 0.0
    total = memory.shares.sum()
    return DriftReport(
        domain=state.domain,
        images=len(recent),
        features=_differences(recent, reference, feature_names(bundle.manifest)),
        shift=shift,
        shares=memory.shares / total if total else memory.shares,
    )


def _differences(
    recent: NDArray[np.float64], reference: NDArray[np.float64], names: Sequence[str]
) -> list[FeatureDifference]:
    if min(len(recent), len(reference)) < MIN_IMAGES:
        return []
    of_recent, of_reference = (x.var(axis=0, ddof=1) / len(x) for x in (recent, reference))
    error = np.sqrt(of_recent + of_reference) + MIN_ERROR
    now, before = recent.mean(axis=0), reference.mean(axis=0)
    return [
        FeatureDifference(
            name, float(now[i]), float(before[i]), float(abs(now[i] - before[i]) / error[i])
        )
        for i, name in enumerate(names)
    ]
