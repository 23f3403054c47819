"""Versions as sessions of ONNX Runtime that are ready to run."""

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
from service.settings import Settings


@dataclass(frozen=True)
class Session:
    """A version that is ready to run.

    Attributes:
        version: number of the version.
        runtime: session of ONNX Runtime.
    """

    version: int
    runtime: ort.InferenceSession

    def probabilities(self, pixels: Pixels) -> NDArray[np.float64]:
        """Probabilities ``(N, K)`` for images ``(N, H, W, C)``."""
        (logits,) = self.runtime.run(["logits"], {"image": pixels})
        return softmax(logits)


class SessionBuilder:
    """Builds and warms a session for given target moments.

    Args:
        bundle: the bundle that is served.
        settings: the device.
        threads: threads within one run.

    Attributes:
        provider: execution provider that the last session runs on; empty before the first.
    """

    def __init__(self, bundle: Bundle, settings: Settings, threads: int = 1) -> None:
        self._bundle = bundle
        self._settings = settings
        self._threads = threads
        self._refolder = Refolder(bundle)
        self._providers: list[Any] = providers_for(settings.device)
        self.provider = ""

    def build(self, version: int, moments: FlatMoments) -> Session:
        """A session that is ready to run; version 0 is exactly what was exported."""
        bundle = self._bundle
        arrays = bundle.predict_arrays if version == 0 else self._refolder.arrays(moments)
        runtime = make_session(
            bundle.predict,
            arrays,
            threads=self._threads,
            providers=self._providers,
        )
        self.provider = check_provider(runtime, self._settings.device)
        session = Session(version, runtime)
        session.probabilities(np.zeros((1, *bundle.manifest.preprocessing.shape), np.uint8))
        return session
