"""Runs the graphs of a bundle once, so that what was loaded is known to run."""

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

    ONNX's own check leaves much to the runtime: attributes of a convolution, types of what is between
    nodes.

    Args:
        variants: their graphs by file name.

    Raises:
        BundleError: if one cannot be run, or gives arrays of another type or shape than it says.
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
    except Exception as error:  # what ONNX Runtime raises has no common type
        raise BundleError(f"{name} cannot be run: {error}") from error
    for (key, wanted), array in zip(expected.outputs.items(), outputs, strict=True):
        sides = tuple(1 if isinstance(side, str) else side for side in wanted.shape)
        if (array.dtype, array.shape) != (wanted.dtype, sides):
            found = TensorType(array.dtype, array.shape)
            raise BundleError(f"{name} gives {key} of type {found} for one image, not {wanted}")
