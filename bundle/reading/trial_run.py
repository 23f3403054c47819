"""Runs the graphs of a bundle once, to be sure that they can be run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle import files
from bundle.errors import BundleError
from bundle.interface import Signature, TensorType, signatures
from bundle.loaded import Bundle
from bundle.runtime import make_session


def check_runs(bundle: Bundle, variants: Mapping[str, bytes]) -> None:
    """Run ``predict.onnx``, its variants and ``observe.onnx`` on one black image.

    ONNX's own checker leaves some checks to the runtime, such as the attributes of a convolution and the
    types of values between nodes.

    Args:
        bundle: the bundle.
        variants: graphs of the variants by file name.

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
    _run(files.PREDICT, bundle.predict, bundle.predict_arrays, image, of_predict)
    for name, graph in variants.items():
        _run(name, graph, {}, image, of_predict)
    _run(files.OBSERVE, bundle.observe, bundle.observe_arrays, image | state, of_observe)


def _run(
    name: str,
    graph: bytes,
    arrays: Mapping[str, NDArray[Any]],
    inputs: Mapping[str, NDArray[Any]],
    expected: Signature,
) -> None:
    try:
        session = make_session(graph, arrays, threads=1, quiet=True)
        outputs = session.run(list(expected.outputs), dict(inputs))
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise BundleError(f"{name} cannot be run: {error}") from error
    for (key, wanted), array in zip(expected.outputs.items(), outputs, strict=True):
        sides = tuple(1 if isinstance(side, str) else side for side in wanted.shape)
        if (array.dtype, array.shape) != (wanted.dtype, sides):
            found = TensorType(array.dtype, array.shape)
            raise BundleError(f"{name} returns {key} of type {found} for one image, not {wanted}")
