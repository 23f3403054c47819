"""Runs the graphs of a bundle with ONNX Runtime."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.fold import Array, fold_sites
from bundle.loaded import Bundle
from bundle.moments import FlatMoments, Vector

CPU: tuple[str, ...] = ("CPUExecutionProvider",)


def make_session(
    graph: bytes,
    arrays: Mapping[str, NDArray[Any]],
    *,
    threads: int = 0,
    providers: Sequence[Any] = CPU,
    quiet: bool = False,
) -> ort.InferenceSession:
    """A session from a graph whose initializers come from memory.

    Args:
        graph: serialized ONNX model.
        arrays: its external initializers by name; copied by the runtime.
        threads: intra-operator threads; 0 leaves the choice to the runtime.
        providers: execution providers, best first.
        quiet: whether the runtime may write nothing to standard error: what it raises says it, too.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    if quiet:
        options.log_severity_level = 4
    # Spinning threads burn the cores that the rest of the service needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    values = [ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(a)) for a in arrays.values()]
    options.add_external_initializers(list(arrays), values)
    return ort.InferenceSession(graph, options, providers=list(providers))


class Refolder:
    """Turns target moments into the arrays of ``predict.onnx``."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._compensate = make_session(bundle.compensate, {}, threads=1)

    def scale_and_shift(self, moments: FlatMoments) -> tuple[Vector, Vector]:
        """What every site does to its input, flat; Reciprocal Compensation is in the graph."""
        inputs = {"mean": moments.mean, "variance": moments.variance}
        scale, shift = self._compensate.run(["scale", "shift"], inputs)
        return scale, shift

    def arrays(self, moments: FlatMoments) -> dict[str, Array]:
        """All initializers of ``predict.onnx`` for these target moments."""
        return {**self._bundle.predict_arrays, **self.folded(moments)}

    def folded(self, moments: FlatMoments) -> dict[str, Array]:
        """Only those initializers that depend on the moments."""
        # Explicit sites have no unfolded array; only the shape of theirs in the graph is needed.
        base = {**self._bundle.predict_arrays, **self._bundle.base_arrays}
        return fold_sites(self._bundle.manifest.sites, base, *self.scale_and_shift(moments))
