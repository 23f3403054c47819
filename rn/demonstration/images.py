"""The images of the demonstration: handwritten digits, a camera that changes, and junk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.images.encoding import encode_png
from bundle.preprocessing import Pixels
from rn_model.digits.images import CLASSES, target_images

Camera = Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class LabelledFiles:
    """Files whose labels only the demonstration knows; the service never sees them.

    Attributes:
        files: PNG files.
        labels: name of the class of each.
    """

    files: Sequence[bytes]
    labels: Sequence[str]


def held_out(count: int, camera: Camera) -> LabelledFiles:
    """Digits on which accuracy is measured, and which are never posted to ``/adapt``.

    Args:
        count: number of images.
        camera: changes the pixels ``(N, H, W, C)``.
    """
    digits, order = target_images(), _order()
    chosen = order[-count:]
    labels = [CLASSES[label] for label in digits.labels[chosen]]
    return LabelledFiles(_files(camera(digits.pixels[chosen])), labels)


def unlabelled(count: int, camera: Camera) -> list[bytes]:
    """PNG files of other digits, seen by the same camera."""
    return _files(camera(target_images().pixels[_order()[:count]]))


def labelled_files(count: int) -> dict[str, bytes]:
    """PNG files of digits by their paths, in a folder per class, as ``RN_EXAMPLES`` takes them."""
    digits, chosen = target_images(), _order()[:count]
    files = _files(digits.pixels[chosen])
    return {
        f"{CLASSES[digits.labels[index]]}/{index:04}.png": content
        for index, content in zip(chosen.tolist(), files, strict=True)
    }


def noise(count: int) -> list[bytes]:
    """PNG files of noise in the size of the digits."""
    shape = (count, *target_images().pixels.shape[1:])
    return _files(np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8))


def same_camera(pixels: Pixels) -> Pixels:
    """The camera for which the model was exported."""
    return pixels


def grey_camera(pixels: Pixels) -> Pixels:
    """Another camera: a third of the contrast, on a grey background."""
    changed: Pixels = (90 + pixels.astype(np.float64) / 3).astype(np.uint8)
    return changed


def _order() -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(len(target_images()))


def _files(pixels: Pixels) -> list[bytes]:
    return [encode_png(image) for image in pixels]
