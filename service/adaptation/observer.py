"""Observes target batches: their moments at every site, and input features for admission."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.loaded import Bundle
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels
from service.adaptation.change import Features
from service.adaptation.features import FeatureReader
from service.adaptation.state import OnlineState
from service.inference.background import AT_ONCE, Pieces, in_parts
from service.inference.device import device_session
from service.inference.gpu.runner import BUILDING
from service.inference.gpu.thread import DEVICE_THREAD
from service.settings import Settings

# Once a domain has this many images, one of SHARE new ones says as much as is needed.
ENOUGH, SHARE = 512, 8

# Images whose moments are measured together: at every site they are normalized by each other's, too, so
# smaller parts would follow a new domain more slowly. But 64 images of 224x224 pixels take a gigabyte in a
# ResNet-18, and 16 a fifth of that.
PART, LARGE_PART = 64, 16

_OUTPUTS = ["batch_mean", "batch_variance", "features", "logits"]


class Observation(NamedTuple):
    """The moments and features that one run of ``observe.onnx`` computed.

    Attributes:
        moments: population moments of the batch at every site.
        features: input features of its images, ``(N, F)``.
        logits: predictions ``(N, K)`` of the network with the moments of state and batch merged.
    """

    moments: FlatMoments
    features: Features
    logits: NDArray[np.float32]


class Observer:
    """Runs ``observe.onnx``.

    Args:
        bundle: the bundle that is adapted.
        settings: the device.
        background: runs what predictions come before.

    Attributes:
        reader: reads the features of images.
    """

    def __init__(self, bundle: Bundle, settings: Settings, background: Pieces = AT_ONCE) -> None:
        self._bundle = bundle
        self._device = settings.device
        self._background = background
        self._made: ort.InferenceSession | None = None
        self.reader = FeatureReader(bundle.observe)

    def observe(
        self,
        images: Sequence[Pixels],
        state: OnlineState,
        weights: NDArray[np.float64] | None = None,
    ) -> Observation:
        """Observe a batch; every site normalizes with the moments of state and batch merged.

        Args:
            images: the images, each ``(H, W, C)``.
            state: state before the batch.
            weights: weights of the images in the moments, ``(N,)``; None if each has the weight 1.
        """
        given = np.ones(len(images)) if weights is None else weights
        return self._background.run(lambda: self._observe(images, state, given))

    def _observe(
        self, images: Sequence[Pixels], state: OnlineState, weights: NDArray[np.float64]
    ) -> Observation:
        inputs = {
            "image": np.stack(images),
            "image_weight": weights.astype(np.float32),
            "prior_weight": np.array(state.count, np.float32),
            "mean": state.moments.mean.astype(np.float32),
            "variance": state.moments.variance.astype(np.float32),
        }
        session = self._session
        if self._device == "cuda":
            outputs = DEVICE_THREAD.run(lambda: session.run(_OUTPUTS, inputs))
        else:
            outputs = session.run(_OUTPUTS, inputs)
        mean, variance, features, logits = outputs
        moments = FlatMoments(mean.astype(np.float64), variance.astype(np.float64))
        return Observation(moments, features.astype(np.float64), logits)

    def features(self, images: Sequence[Pixels]) -> Features:
        """Input features ``(N, F)`` of images, which cost much less than their moments."""
        return self._background.run(lambda: self.reader.read(np.stack(images)))

    @property
    def _session(self) -> ort.InferenceSession:
        """The session, made when it is needed first: many services never adapt."""
        if self._made is None:
            with BUILDING:
                # It runs seldom, and everything that a network computes of a batch would stay in memory.
                self._made = device_session(
                    self._bundle.observe, self._bundle.observe_arrays, self._device, arena=False
                )
        return self._made

    def parts(self, images: Sequence[Pixels]) -> list[Sequence[Pixels]]:
        """The images in parts that are observed one after another."""
        return in_parts(images, PART, LARGE_PART)


def representative(images: Sequence[Pixels], count: float) -> Sequence[Pixels]:
    """Those of some images whose moments are measured, evenly spaced.

    Args:
        images: images of a domain.
        count: effective number of its images that were measured before.
    """
    return images[::SHARE] if count >= ENOUGH else images
