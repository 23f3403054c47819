"""Splits images so that no variant is measured on images that it was fitted to."""

from collections.abc import Collection
from typing import NamedTuple

from bundle.manifest import Precision
from bundle.preprocessing import Pixels
from export.checks.images import evenly_spaced
from export.errors import ExportError

MAX_CALIBRATION = 512


class ImageSplit(NamedTuple):
    """Images in two parts, of which one is held out.

    Attributes:
        calibration: images that set the ranges of 8-bit integers; may be empty.
        held_out: images on which a variant is compared with ``predict.onnx``.
    """

    calibration: Pixels
    held_out: Pixels


def split_images(images: Pixels, *, calibrate: bool = True) -> ImageSplit:
    """Hold out every other image; at most ``MAX_CALIBRATION`` of the others are for int8 calibration.

    Args:
        images: pixels ``(N, H, W, C)`` uint8.
        calibrate: whether images may be used for int8 calibration. If not, or if there is only one
            image, all are held out.
    """
    if not calibrate or len(images) < 2:
        return ImageSplit(images[:0], images)
    return ImageSplit(evenly_spaced(images[::2], MAX_CALIBRATION), images[1::2])


def check_split(split: ImageSplit, precisions: Collection[Precision]) -> None:
    """Check that there are calibration images if an int8 variant is wanted.

    Raises:
        ExportError: if there are none.
    """
    if "int8" in precisions and not len(split.calibration):
        raise ExportError(
            "int8 needs at least two target images, one to calibrate on and one to check with. A run"
            " provides the images that it kept (keep_images); with the source's statistics it provides"
            " none"
        )
