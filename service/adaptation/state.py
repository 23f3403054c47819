"""The online state of a target: its moments, and the number of images behind them."""

from dataclasses import dataclass, replace

import numpy as np

from bundle.moments import FlatMoments

# The domain that a bundle was exported for.
EXPORTED_DOMAIN = 0


@dataclass(frozen=True)
class OnlineState:
    """Raw moments of the domain that a target is in; immutable.

    Attributes:
        moments: moments of the admitted images of the domain. Without any, the base moments.
        count: effective number of images behind them. The graphs weigh the base moments beside them; in
            bundles before schema version 4 the base moments are contained, and counted.
        pending: images admitted since the last version.
        domain: number of the domain; 0 is the one for which the bundle was exported.
    """

    moments: FlatMoments
    count: float
    pending: int = 0
    domain: int = 0

    def merge(
        self,
        batch: FlatMoments,
        images: int,
        max_count: float,
        weight: float | None = None,
    ) -> "OnlineState":
        """Merge the moments of a batch into the state.

        Exact, by Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
        sample variances" (1979): the variance includes the distance between the two means. The past
        weighs at most ``max_count`` minus the batch, so that the statistics follow a domain that drifts.

        Args:
            batch: population moments of the batch.
            images: number of images in the batch, 1 or more.
            max_count: maximum effective number of images.
            weight: sum of the weights of the images; None if each has the weight 1.
        """
        added = float(images) if weight is None else weight
        prior = max(0.0, min(self.count, max_count - added))
        if prior == 0:
            return replace(self, moments=batch, count=added, pending=self.pending + images)
        share = added / (prior + added)
        delta = batch.mean - self.moments.mean
        mean = self.moments.mean + share * delta
        variance = (
            (1 - share) * self.moments.variance
            + share * batch.variance
            + share * (1 - share) * np.square(delta)
        )
        merged = FlatMoments(mean, variance)
        return replace(self, moments=merged, count=prior + added, pending=self.pending + images)

    def without_pending(self) -> "OnlineState":
        """The state after its pending images have become a version."""
        return replace(self, pending=0)
