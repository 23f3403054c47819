"""What predicted images look like: features and predictions of some of them. No image is kept."""

import logging
import threading
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from service.adaptation.change import Features, log_features
from service.adaptation.features import FeatureReader

# As many of the last images are described.
WINDOW = 256

logger = logging.getLogger(__name__)


class Seen(NamedTuple):
    """What the last images of predictions look like.

    Attributes:
        features: logarithms of their input features, ``(N, F)``.
        shares: their class shares as they were predicted, ``(K,)``; empty without images.
    """

    features: Features
    shares: NDArray[np.float64]


class Traffic:
    """Describes one of so many predicted images, in the thread that predicted it; safe for threads.

    Args:
        every: how many images there are for each that is described; 0 if none is.
        reader: reads features.
    """

    def __init__(self, every: int, reader: FeatureReader) -> None:
        self._every = every
        self._reader = reader
        self._passed = 0
        self._last: deque[tuple[Features, NDArray[np.float64]]] = deque(maxlen=WINDOW)
        self._stale = False
        self._seen = Seen(np.empty((0, 0)), np.empty(0))
        self._lock = threading.Lock()

    def see(self, images: Pixels, probabilities: NDArray[np.float64]) -> None:
        """Describe some images; a failure is logged, and is no failure of their prediction.

        Args:
            images: predicted images ``(N, H, W, C)``.
            probabilities: their predictions ``(N, K)``.
        """
        if not self._every:
            return
        with self._lock:
            first = -self._passed % self._every
            self._passed += len(images)
        chosen = slice(first, None, self._every)
        if first >= len(images):
            return
        try:
            features = log_features(self._reader.read(images[chosen]))
        except Exception:
            logger.exception("predicted images could not be described")
            return
        with self._lock:
            self._last.extend(zip(features, probabilities[chosen], strict=True))
            self._stale = True

    @property
    def last(self) -> Seen:
        """The last images; the same object as long as there are no new ones."""
        with self._lock:
            if self._stale:
                features, probabilities = zip(*self._last, strict=True)
                self._seen = Seen(np.stack(features), np.mean(probabilities, axis=0))
                self._stale = False
            return self._seen
