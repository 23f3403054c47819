"""Predictions of versions on the images that decide about them, in small pieces and each only once."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from service.inference.background import PIECE, Pieces, in_parts
from service.inference.sessions import Session

Probabilities = NDArray[np.float64]
# The exported, the served and the candidate version.
MAX_CACHED = 4
# A session keeps the memory of its largest batch, and every version has one.
LARGE_PIECE = 2


class Scorer:
    """Predicts with any version, and remembers predictions on the sample images.

    Args:
        samples: the sample images that decide, ``(N, H, W, C)``; None if there are none.
        background: runs what predictions come before.
    """

    def __init__(self, samples: Pixels | None, background: Pieces) -> None:
        self.samples = samples
        self._background = background
        self._cache: OrderedDict[int, Probabilities] = OrderedDict()

    def predict(self, session: Session, images: Sequence[Pixels] | Pixels) -> Probabilities:
        """Probabilities ``(N, K)`` of a version for some images, N at least 1."""
        parts = [
            self._background.run(partial(session.probabilities, np.asarray(part)))
            for part in in_parts(images, PIECE, LARGE_PIECE)
        ]
        return np.concatenate(parts)

    def on_samples(self, version: int, open_session: Callable[[], Session]) -> Probabilities:
        """Probabilities of a version for the sample images.

        Args:
            version: number of the version.
            open_session: gives its session, if that is needed.
        """
        assert self.samples is not None
        if version not in self._cache:
            self._cache[version] = self.predict(open_session(), self.samples)
        self._cache.move_to_end(version)
        while len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return self._cache[version]

    def forget(self, version: int) -> None:
        """Forget the predictions of a candidate whose number another one will take."""
        self._cache.pop(version, None)
