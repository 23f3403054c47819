"""The online state of a target: its moments, and the number of images behind them."""

from dataclasses import dataclass, replace

import numpy as np

from bundle.moments import FlatMoments


@dataclass(frozen=True)
class OnlineState:
    """Raw target moments with their counts; immutable.

    Attributes:
        moments: moments of all admitted images, base statistics included.
        count: effective number of images behind them.
        pending: images admitted since the last version.
    """

    moments: FlatMoments
    count: float
    pending: int = 0

    def merge(self, batch: FlatMoments, images: int, max_count: float) -> "OnlineState":
        """Merge the moments of a batch into the state.

        Exact, by Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
        sample variances" (1979): the variance includes the distance between the two means. The past
        weighs at most ``max_count`` minus the batch, so that the statistics follow a domain that drifts.

        Args:
            batch: population moments of the batch.
            images: number of images in the batch, 1 or more.
            max_count: maximum effective number of images.
        """
        prior = max(0.0, min(self.count, max_count - images))
        share = images / (prior + images)
        delta = batch.mean - self.moments.mean
        mean = self.moments.mean + share * delta
        variance = (
            (1 - share) * self.moments.variance
            + share * batch.variance
            + share * (1 - share) * np.square(delta)
        )
        return OnlineState(FlatMoments(mean, variance), prior + images, self.pending + images)

    def without_pending(self) -> "OnlineState":
        """The state after its pending images have become a version."""
        return replace(self, pending=0)

    def limited(self, count: float) -> "OnlineState":
        """The state with at most ``count`` images behind it, so that it moves faster."""
        return replace(self, count=min(self.count, count))
