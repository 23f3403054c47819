"""Versions as sessions of ONNX Runtime that are ready to run."""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.loaded import Bundle
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels
from bundle.runtime import MakeSession, Refolder, make_session, threads_of
from bundle.scores import softmax
from service.inference.device import CUDA, check_provider, providers_for
from service.inference.gpu.sessions import CudaRunners, check_device
from service.settings import Settings


class Runner(Protocol):
    """Runs ``predict.onnx`` on one device."""

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        """Logits ``(N, K)`` for images ``(N, H, W, C)``."""


@dataclass(frozen=True)
class CpuRunner:
    """Runs batches of any size on the processor.

    Attributes:
        runtime: session of ONNX Runtime.
    """

    runtime: ort.InferenceSession

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        """Logits ``(N, K)`` for images ``(N, H, W, C)``."""
        logits: NDArray[np.float32] = self.runtime.run(["logits"], {"image": pixels})[0]
        return logits


@dataclass(frozen=True)
class Session:
    """A version that is ready to run.

    Attributes:
        version: number of the version.
        runner: runs its network.
    """

    version: int
    runner: Runner

    def probabilities(self, pixels: Pixels) -> NDArray[np.float64]:
        """Probabilities ``(N, K)`` for images ``(N, H, W, C)``."""
        return softmax(self.runner.logits(pixels))


def predictor_maker(settings: Settings) -> MakeSession | None:
    """How the session that tries ``predict.onnx`` is made, so that it can serve afterwards.

    Returns:
        None if it could not, because a GPU serves.
    """
    if settings.device != "cpu":
        return None
    return partial(make_session, threads=settings.threads or 1, quiet=True)


class SessionBuilder:
    """Builds and warms a session for given target moments.

    Args:
        bundle: the bundle that is served.
        settings: the device.
        threads: threads within one run.

    Attributes:
        provider: execution provider that the last session runs on; empty before the first.

    Raises:
        DeviceError: if the device cannot be used, or not in the precision that the settings name.
    """

    def __init__(self, bundle: Bundle, settings: Settings, threads: int = 1) -> None:
        check_device(settings.precision, settings.device)
        self._bundle = bundle
        self._settings = settings
        self._threads = threads
        self._refolder = Refolder(bundle)
        self._cuda = CudaRunners(bundle, settings) if settings.device == "cuda" else None
        self.provider = ""

    def build(self, version: int, moments: FlatMoments, count: float) -> Session:
        """A session that is ready to run; version 0 is exactly what was exported.

        Args:
            version: number of the version.
            moments: raw moments of target images.
            count: number of these images.
        """
        bundle = self._bundle
        # Taken in any case, because nobody else would free it. It runs on a processor.
        tried = bundle.predictor.take()
        on_cpu = self._cuda is None
        if on_cpu and version == 0 and tried is not None and threads_of(tried) == self._threads:
            # It was run when it was tried.
            self.provider = check_provider(tried, self._settings.device)
            return Session(version, CpuRunner(tried))
        arrays = bundle.predict_arrays if version == 0 else self._refolder.arrays(moments, count)
        if self._cuda is not None:
            runner: Runner = self._cuda.make(arrays)
            self.provider = CUDA
            return Session(version, runner)
        runtime = make_session(
            bundle.predict,
            arrays,
            threads=self._threads,
            providers=providers_for(self._settings.device),
        )
        return self._ready(version, runtime)

    def _ready(self, version: int, runtime: ort.InferenceSession) -> Session:
        self.provider = check_provider(runtime, self._settings.device)
        session = Session(version, CpuRunner(runtime))
        session.probabilities(np.zeros((1, *self._bundle.manifest.preprocessing.shape), np.uint8))
        return session
