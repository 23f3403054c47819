"""Checks that the folded arrays of a bundle are what its own moments and unfolded arrays fold to."""

import numpy as np

from bundle import files
from bundle.errors import BundleError
from bundle.loaded import Bundle
from bundle.runtime import Refolder

TOLERANCE = 1e-5


def check_fold(bundle: Bundle) -> None:
    """Fold the base target moments and compare with ``predict.safetensors``.

    Otherwise the served model would jump at the first adaptation, from what was exported to what the
    statistics say.

    Raises:
        BundleError: if they differ by more than rounding, or cannot be folded.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            folded = Refolder(bundle).folded(bundle.target)
    except Exception as error:  # what ONNX Runtime raises has no common type
        raise BundleError(f"{files.COMPENSATE} cannot be run: {error}") from error
    for name, array in folded.items():
        if not np.isfinite(array).all():
            raise BundleError(f"{files.BASE} folds {name!r} to values that are not finite")
        found = bundle.predict_arrays[name]
        difference = float(np.abs(found - array).max())
        if not difference <= TOLERANCE * float(np.abs(array).max()):
            raise BundleError(
                f"{files.PREDICT_WEIGHTS} and {files.BASE} do not belong together:"
                f" {name!r} folds to values that differ by {difference:.1e}"
            )
