"""Checks that the folded arrays of a bundle follow from its moments and its unfolded arrays."""

import numpy as np

from bundle import files
from bundle.errors import BundleError
from bundle.loaded import Bundle
from bundle.runtime import MANY_IMAGES, Refolder

TOLERANCE = 1e-5


def check_fold(bundle: Bundle) -> None:
    """Fold the base target moments and compare the result with ``predict.safetensors``.

    If they differed, the served model would jump at its first adaptation, from what was exported to what
    its statistics describe.

    Raises:
        BundleError: if they differ by more than rounding, or the moments cannot be folded.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            refolder = Refolder(bundle)
            folded = refolder.folded(bundle.target, MANY_IMAGES)
    except Exception as error:  # ONNX Runtime's errors share no base class
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
    refolder.give_back()
