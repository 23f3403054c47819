"""Input features of single images, without the network."""

import threading

import numpy as np
import onnxruntime as ort

from bundle.preprocessing import Pixels
from bundle.reading.feature_graph import feature_graph
from bundle.runtime import make_session
from service.adaptation.change import Features


class FeatureReader:
    """Reads input features; safe for threads.

    Args:
        observe: serialized ``observe.onnx``, which contains their graph.
    """

    def __init__(self, observe: bytes) -> None:
        self._observe = observe
        self._made: ort.InferenceSession | None = None
        self._lock = threading.Lock()

    def read(self, images: Pixels) -> Features:
        """Input features ``(N, F)`` of images ``(N, H, W, C)``."""
        (found,) = self._session.run(["features"], {"image": images})
        features: Features = found.astype(np.float64)
        return features

    @property
    def _session(self) -> ort.InferenceSession:
        """The session, made when it is needed first: many services never adapt."""
        with self._lock:
            if self._made is None:
                self._made = make_session(feature_graph(self._observe), {}, threads=1, arena=False)
            return self._made
