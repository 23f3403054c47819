"""Runs the graphs of a bundle with ONNX Runtime."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.fold import Array, fold_sites
from bundle.loaded import Bundle
from bundle.moments import FlatMoments, Vector

CPU: tuple[str, ...] = ("CPUExecutionProvider",)

# As if the moments were those of so many images that noise explains nothing of their distance from the base
# moments inside the graphs. The base moments themselves then give what was exported, and others do not.
MANY_IMAGES = 1e12

# Makes a session from a graph and its external initializers by name.
MakeSession = Callable[[bytes, Mapping[str, NDArray[Any]]], ort.InferenceSession]


def make_session(
    graph: bytes,
    arrays: Mapping[str, NDArray[Any]],
    *,
    threads: int = 0,
    providers: Sequence[Any] = CPU,
    quiet: bool = False,
    optimize: bool = True,
    config: Mapping[str, str] | None = None,
    arena: bool = True,
) -> ort.InferenceSession:
    """Make a session from a graph whose external initializers are in memory.

    Args:
        graph: serialized ONNX model.
        arrays: external initializers by name; the runtime copies them.
        threads: intra-operator threads; 0 lets the runtime choose.
        providers: execution providers in order of preference.
        quiet: whether to keep the runtime from writing to standard error. Its exceptions hold the same
            text.
        optimize: whether to optimize the graph, which takes longer than running it a few times.
        config: further entries of the session's configuration.
        arena: whether the session keeps the memory of its runs for the next one, and grows it in steps that
            double; without it, every run costs a little more.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = arena
    if quiet:
        options.log_severity_level = 4
    # Spinning threads burn the cores that the rest of the service needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")
    for key, value in (config or {}).items():
        options.add_session_config_entry(key, value)
    values = [ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(a)) for a in arrays.values()]
    options.add_external_initializers(list(arrays), values)
    # By default, a failure on another device is printed, and the session is made on the CPU.
    return ort.InferenceSession(graph, options, providers=list(providers), enable_fallback=False)


def threads_of(session: ort.InferenceSession) -> int:
    """Intra-operator threads of a session, as they were given to :func:`make_session`."""
    threads: int = session.get_session_options().intra_op_num_threads
    return threads


class Refolder:
    """Computes the arrays of ``predict.onnx`` from target moments."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        # Making it takes as long as folding several times.
        tried = bundle.compensator.take()
        self._compensate = tried or make_session(bundle.compensate, {}, threads=1)

    def give_back(self) -> None:
        """Leave the session to the next refolder of the bundle; this one is not used any more."""
        self._bundle.compensator.give(self._compensate)

    def scale_and_shift(self, moments: FlatMoments, count: float) -> tuple[Vector, Vector]:
        """Effective scale and shift of every site, as flat vectors.

        The weight of the base moments and Reciprocal Compensation are part of the graph that computes
        them.

        Args:
            moments: raw moments of target images.
            count: number of these images; 0 for the base moments alone, whatever ``moments`` are. The
                graphs of bundles before schema version 4 take moments that contain the base moments, and
                know nothing of the number.
        """
        inputs: dict[str, Any] = {"mean": moments.mean, "variance": moments.variance}
        if self._bundle.manifest.estimator is not None:
            inputs["count"] = np.array(count, np.float64)
        scale, shift = self._compensate.run(["scale", "shift"], inputs)
        return scale, shift

    def arrays(self, moments: FlatMoments, count: float) -> dict[str, Array]:
        """All initializers of ``predict.onnx``; see :meth:`scale_and_shift`."""
        return {**self._bundle.predict_arrays, **self.folded(moments, count)}

    def folded(self, moments: FlatMoments, count: float) -> dict[str, Array]:
        """Only the initializers that depend on the moments."""
        # A site that is not folded has no unfolded array: only the shape of its arrays in the graph counts.
        base = {**self._bundle.predict_arrays, **self._bundle.base_arrays}
        return fold_sites(self._bundle.manifest.sites, base, *self.scale_and_shift(moments, count))
