"""How far the last images are from those before, and the domain from exported and served version."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.interface import feature_names
from bundle.loaded import Bundle
from bundle.moments import FlatMoments
from service.adaptation.change import Features, stack, standard_error
from service.guards.class_shares import ClassShares, ShareEstimator
from service.guards.publication import mean_shift
from service.ledger.records import Target
from service.targets.traffic import Seen

# Fewer images say nothing.
MIN_IMAGES = 8
TINY = 1e-12


@dataclass(frozen=True)
class FeatureDifference:
    """Means of an input feature, as logarithms, and their difference in standard errors.

    Attributes:
        feature: name of the feature.
        recent: mean of the last images.
        domain: mean of the images of the domain before them.
        error: standard error of the difference of the two.
    """

    feature: str
    recent: float
    domain: float
    error: float

    @property
    def z(self) -> float:
        """The difference in standard errors."""
        return abs(self.recent - self.domain) / self.error


@dataclass(frozen=True)
class SiteDifference:
    """How far the moments of the domain are from others at one normalization layer, over its channels.

    Attributes:
        site: name of the layer.
        mean: mean distance of the means from the exported ones, in standard deviations.
        deviation: mean size of the logarithm of the ratio of the standard deviations.
        served: like ``mean``, from those of the served version.
    """

    site: str
    mean: float
    deviation: float
    served: float


@dataclass(frozen=True)
class Compared:
    """Images, and how they differ from the images of the domain.

    Attributes:
        images: number of images.
        features: differences; empty if either are few.
        shares: class shares as they are predicted, ``(K,)``; empty without images.
    """

    images: int
    features: Sequence[FeatureDifference]
    shares: NDArray[np.float64]

    @property
    def z(self) -> float | None:
        """Largest difference of a feature; None if there are too few images."""
        return max((feature.z for feature in self.features), default=None)


@dataclass(frozen=True)
class DriftReport:
    """What is known of a target's drift.

    Attributes:
        domain: number of the domain.
        recent: the last images of batches, and the class shares of the domain.
        traffic: the last predicted images.
        held: number of the last images that did not move the statistics.
        shift: mean distance of the domain's means from the exported ones, in standard deviations.
        sites: the same for every site, and more; empty without images.
        estimated: estimated class shares of the domain; None if the bundle does not know how classes are
            confused, or without images.
    """

    domain: int
    recent: Compared
    traffic: Compared
    held: int
    shift: float
    sites: Sequence[SiteDifference]
    estimated: ClassShares | None = None


def report_drift(
    target: Target,
    bundle: Bundle,
    served: FlatMoments,
    traffic: Seen,
    classes: ShareEstimator | None,
) -> DriftReport:
    """Describe the drift of a target.

    Args:
        target: the target.
        bundle: its bundle.
        served: raw moments of the served version.
        traffic: the last predicted images.
        classes: estimates class shares; None if that cannot be done.
    """
    state, memory = target.state, target.memory
    names = feature_names(bundle.manifest)
    recent = stack([arrival.features for arrival in memory.window], 0)
    before = stack(list(memory.reference), 0)
    total = memory.shares.sum()
    shares = memory.shares / total if total else memory.shares
    return DriftReport(
        domain=state.domain,
        recent=Compared(len(recent), _differences(recent, before, names), shares),
        traffic=Compared(
            len(traffic.features),
            _differences(traffic.features, memory.known, names),
            traffic.shares,
        ),
        held=memory.held,
        shift=mean_shift(bundle.target, state.moments) if state.count else 0.0,
        sites=_sites(bundle, state.moments, served) if state.count else [],
        estimated=None if classes is None or not total else classes(memory.shares),
    )


def _differences(
    recent: Features, reference: Features, names: Sequence[str]
) -> list[FeatureDifference]:
    if min(len(recent), len(reference)) < MIN_IMAGES:
        return []
    error = standard_error(recent, reference)
    now, before = recent.mean(axis=0), reference.mean(axis=0)
    return [
        FeatureDifference(name, float(now[i]), float(before[i]), float(error[i]))
        for i, name in enumerate(names)
    ]


def _sites(bundle: Bundle, domain: FlatMoments, served: FlatMoments) -> list[SiteDifference]:
    exported = bundle.target
    deviation = np.sqrt(np.maximum(exported.variance, TINY))
    from_exported = (domain.mean - exported.mean) / deviation
    from_served = (domain.mean - served.mean) / deviation
    spread = np.log(np.sqrt(np.maximum(domain.variance, TINY)) / deviation)
    return [
        SiteDifference(
            site.name,
            *(
                float(np.abs(each[site.offset : site.offset + site.channels]).mean())
                for each in (from_exported, spread, from_served)
            ),
        )
        for site in bundle.manifest.sites
    ]
