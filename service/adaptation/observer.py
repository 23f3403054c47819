"""Observes target batches: their moments at every site, and input features for admission."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bundle.loaded import Bundle
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels
from bundle.runtime import make_session
from service.adaptation.state import OnlineState
from service.guards.admission import Features
from service.inference.device import providers_for
from service.settings import Settings

_OUTPUTS = ["batch_mean", "batch_variance", "features"]


class Observed(NamedTuple):
    """Population moments of a batch, and input features ``(N, F)`` of its images."""

    moments: FlatMoments
    features: Features


class Observer:
    """Runs ``observe.onnx``."""

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._max_batch = settings.max_batch
        self._session = make_session(
            bundle.observe,
            bundle.observe_arrays,
            threads=settings.effective_threads,
            providers=providers_for(settings.device),
        )

    def observe(self, images: Sequence[Pixels], state: OnlineState) -> Observed:
        """Observe a batch whose sites normalize with the state and the batch merged."""
        mean, variance, features = self._session.run(
            _OUTPUTS,
            {
                "image": np.stack(images),
                "image_weight": np.ones(len(images), np.float32),
                "prior_weight": np.array(state.count, np.float32),
                "mean": state.moments.mean.astype(np.float32),
                "variance": state.moments.variance.astype(np.float32),
            },
        )
        moments = FlatMoments(mean.astype(np.float64), variance.astype(np.float64))
        return Observed(moments, features.astype(np.float64))

    def observe_all(self, images: Sequence[Pixels], state: OnlineState) -> list[Observed]:
        """Observe any number of images, in parts, each as if it were the only one."""
        return [self.observe(part, state) for part in self._parts(images)]

    def merge(self, images: Sequence[Pixels], state: OnlineState, max_count: float) -> OnlineState:
        """The state after any number of images, each part observed under what the ones before left."""
        for part in self._parts(images):
            state = state.merge(self.observe(part, state).moments, len(part), max_count)
        return state

    def _parts(self, images: Sequence[Pixels]) -> list[Sequence[Pixels]]:
        size = self._max_batch
        return [images[start : start + size] for start in range(0, len(images), size)]
