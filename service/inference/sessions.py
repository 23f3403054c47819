"""The runnable versions of a target: the served one, and others on request."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.loaded import Bundle
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels
from bundle.runtime import Refolder, make_session
from bundle.scores import softmax
from service.inference.device import check_provider, providers_for
from service.inference.queue import Prediction
from service.settings import Settings

MAX_CACHED = 4


@dataclass(frozen=True)
class Model:
    """A version that can be run."""

    version: int
    session: ort.InferenceSession

    def predict(self, pixels: Pixels) -> Prediction:
        """Probabilities for images ``(N, H, W, C)``."""
        return Prediction(self.version, self.probabilities(pixels))

    def probabilities(self, pixels: Pixels) -> NDArray[np.float64]:
        """Probabilities ``(N, K)``."""
        (logits,) = self.session.run(["logits"], {"image": pixels})
        return softmax(logits)


class ModelBuilder:
    """Builds and warms a session for target moments.

    Attributes:
        provider: the execution provider that is really used.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._bundle = bundle
        self._settings = settings
        self._refolder = Refolder(bundle)
        self._providers: list[Any] = providers_for(settings.device)
        self.provider = ""

    def build(self, version: int, moments: FlatMoments) -> Model:
        """A model that is ready to run; version 0 is exactly what was exported."""
        bundle = self._bundle
        arrays = bundle.predict_arrays if version == 0 else self._refolder.arrays(moments)
        session = make_session(
            bundle.predict,
            arrays,
            threads=self._settings.effective_threads,
            providers=self._providers,
        )
        self.provider = check_provider(session, self._settings.device)
        model = Model(version, session)
        model.probabilities(np.zeros((1, *bundle.manifest.preprocessing.shape), np.uint8))
        return model


class Models:
    """The served model, and a few others kept at hand.

    Args:
        served: what to serve first.
        load: builds a version by its number.
    """

    def __init__(self, served: Model, load: Callable[[int], Model]) -> None:
        self._served = served
        self._load = load
        self._cache: OrderedDict[int, Model] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def served(self) -> Model:
        """The model whose version carries the label."""
        return self._served

    def serve(self, model: Model) -> None:
        """Move the label: one reference; batches that run finish on the model before."""
        self._served = model

    def get(self, version: int | None) -> Model:
        """A model by its version, None for the served one."""
        served = self._served
        if version is None or version == served.version:
            return served
        with self._lock:
            model = self._cache.pop(version, None) or self._load(version)
            self._cache[version] = model
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
            return model

    def predict(self, version: int | None, pixels: Pixels) -> Prediction:
        """Predict with a version, None for the served one."""
        return self.get(version).predict(pixels)
