"""What a service did between two looks at its metrics: rates, and quantiles of its times."""

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from service.monitoring.exchanges import Exchanges

PREDICT = "/predict"


@dataclass(frozen=True)
class Look:
    """Counts up to one moment.

    Attributes:
        at: time in seconds.
        buckets: number of answered predictions that took at most so many seconds; grows with the bound.
    """

    at: float
    buckets: Mapping[float, float]

    @property
    def requests(self) -> float:
        """Number of answered predictions."""
        return max(self.buckets.values(), default=0.0)


@dataclass(frozen=True)
class Activity:
    """What happened between two looks.

    Attributes:
        seconds: time between them.
        requests: requests to predict that were answered.
        median, p99: quantiles of their times in seconds; None if there were none.
    """

    seconds: float
    requests: float
    median: float | None
    p99: float | None


def look(exchanges: Exchanges) -> Look:
    """Read the counts of now."""
    buckets = Counter[float]()
    for labels, bound, count in exchanges.buckets():
        if labels["route"].endswith(PREDICT) and labels["status"] == "2xx":
            buckets[bound] += int(count)
    return Look(time.monotonic(), buckets)


def between(before: Look, now: Look) -> Activity:
    """What happened from one look to a later one."""
    counts = {bound: count - before.buckets.get(bound, 0.0) for bound, count in now.buckets.items()}
    return Activity(
        now.at - before.at,
        now.requests - before.requests,
        quantile(counts, 0.5),
        quantile(counts, 0.99),
    )


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """A quantile of counted values, as Prometheus estimates it: evenly spread within each bucket.

    Args:
        buckets: number of values that are at most each bound; the largest bound is infinite.
        share: between 0 and 1.

    Returns:
        The quantile; the largest finite bound if it lies beyond that. None without values.
    """
    total = max(buckets.values(), default=0.0)
    if not total:
        return None
    wanted, low, below = share * total, 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= wanted and count > below:
            reached = (wanted - below) / (count - below)
            return low if math.isinf(bound) else low + (bound - low) * reached
        low, below = bound, count
    return low
