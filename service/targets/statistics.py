"""Counts of the requests that a target answered, by version."""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.inference.prediction import Prediction


@dataclass
class VersionStatistics:
    """What one version answered; times are sums, in seconds.

    Attributes:
        requests, images, runs: number of requests, images, and runs of the network.
        total: from the moment that a request was read until it was answered.
        queue, decode, infer: time in each stage.
        last: time of the last answer, in milliseconds since 1970.
    """

    requests: int = 0
    images: int = 0
    runs: int = 0
    total: float = 0.0
    queue: float = 0.0
    decode: float = 0.0
    infer: float = 0.0
    last: int = 0


@dataclass(frozen=True, eq=False)
class Predicted:
    """Sums over all predicted images.

    Attributes:
        images: their number.
        confidence: sum of the probabilities of their labels.
        labels: how often each class was predicted ``(K,)``; ``(1,)`` before the first image.
    """

    images: int
    confidence: float
    labels: NDArray[np.int64]


NOTHING = Predicted(0, 0.0, np.zeros(1, np.int64))


@dataclass
class Statistics:
    """What a target answered since its model was loaded; safe for threads.

    Attributes:
        failures: number of requests that failed.
        failed: sum of their times, in seconds.
        predicted: what was predicted.
    """

    failures: int = 0
    failed: float = 0.0
    predicted: Predicted = NOTHING
    _versions: defaultdict[int, VersionStatistics] = field(
        default_factory=lambda: defaultdict(VersionStatistics)
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count_success(self, prediction: Prediction, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            found = self._versions[prediction.version]
            found.requests += 1
            found.images += len(prediction.probabilities)
            found.total += seconds
            found.queue += prediction.queue
            found.decode += prediction.decode
            found.infer += prediction.infer
            found.last = int(time.time() * 1000)

    def count_run(self, version: int, probabilities: NDArray[np.float64]) -> None:
        """Count a run of the network.

        Args:
            version: version that ran.
            probabilities: its predictions ``(N, K)``.
        """
        labels = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
        confidence = float(probabilities.max(axis=1).sum())
        with self._lock:
            self._versions[version].runs += 1
            seen = self.predicted
            self.predicted = Predicted(
                seen.images + len(probabilities), seen.confidence + confidence, seen.labels + labels
            )

    def count_failure(self, seconds: float) -> None:
        """Count a request that failed."""
        with self._lock:
            self.failures += 1
            self.failed += seconds

    def of_version(self, version: int) -> VersionStatistics:
        """What a version answered."""
        with self._lock:
            return self._versions.get(version) or VersionStatistics()

    @property
    def versions(self) -> list[int]:
        """Versions that answered a request."""
        with self._lock:
            return sorted(self._versions)
