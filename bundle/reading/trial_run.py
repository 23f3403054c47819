"""Runs the graphs of a bundle once, to be sure that they can be run."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle import files
from bundle.errors import BundleError
from bundle.interface import Signature, TensorType, signatures
from bundle.loaded import Bundle
from bundle.runtime import MakeSession, make_session


def trial_session(graph: bytes, arrays: Mapping[str, NDArray[Any]]) -> ort.InferenceSession:
    """A session that is made quickly, to be run once."""
    return make_session(graph, arrays, threads=1, quiet=True, optimize=False)


def check_runs(
    bundle: Bundle, variants: Mapping[str, bytes], make_predictor: MakeSession = trial_session
) -> ort.InferenceSession:
    """Run ``predict.onnx``, its variants and ``observe.onnx`` on one black image.

    ONNX's own checker leaves some checks to the runtime, such as the attributes of a convolution and the
    types of values between nodes.

    Args:
        bundle: the bundle.
        variants: graphs of the variants by file name.
        make_predictor: makes the session of ``predict.onnx``.

    Returns:
        The session of ``predict.onnx``.

    Raises:
        BundleError: if a graph cannot be run, or returns arrays of another type or shape than it
            declares.
    """
    expected = signatures(bundle.manifest)
    image = {"image": np.zeros((1, *bundle.manifest.preprocessing.shape), np.uint8)}
    state = {
        "image_weight": np.ones(1, np.float32),
        "prior_weight": np.array(bundle.manifest.target.prior_count, np.float32),
        "mean": bundle.target.mean.astype(np.float32),
        "variance": bundle.target.variance.astype(np.float32),
    }
    of_predict, of_observe = expected[files.PREDICT], expected[files.OBSERVE]
    predict, observe = _Graph(files.PREDICT, of_predict), _Graph(files.OBSERVE, of_observe)
    predictor = predict.run(make_predictor, bundle.predict, bundle.predict_arrays, image)
    for name, content in variants.items():
        _Graph(name, of_predict).run(trial_session, content, {}, image)
    observe.run(trial_session, bundle.observe, bundle.observe_arrays, image | state)
    return predictor


class _Graph(NamedTuple):
    """Name of a graph's file, and what it must return."""

    name: str
    expected: Signature

    def run(
        self,
        make: MakeSession,
        content: bytes,
        arrays: Mapping[str, NDArray[Any]],
        inputs: Mapping[str, NDArray[Any]],
    ) -> ort.InferenceSession:
        """Run it once, and check the types and shapes of what it returns."""
        try:
            session = make(content, arrays)
            outputs = session.run(list(self.expected.outputs), dict(inputs))
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise BundleError(f"{self.name} cannot be run: {error}") from error
        for (key, wanted), array in zip(self.expected.outputs.items(), outputs, strict=True):
            sides = tuple(1 if isinstance(side, str) else side for side in wanted.shape)
            if (array.dtype, array.shape) != (wanted.dtype, sides):
                found = TensorType(array.dtype, array.shape)
                raise BundleError(
                    f"{self.name} returns {key} of type {found} for one image, not {wanted}"
                )
        return session
