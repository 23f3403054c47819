"""Changes of a camera, by which a recorded stream becomes a synthetic one."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bundle.preprocessing import Pixels
from rn.replaying.errors import ReplayError

Camera = Callable[[Pixels, Generator], Pixels]


class Change(NamedTuple):
    """A change of the camera, which lasts until the next one.

    Attributes:
        start: number of the first image that it concerns, from 0.
        name: name in :data:`CAMERAS`.
    """

    start: int
    name: str


def _round(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _contrast(pixels: Pixels, _: Generator) -> Pixels:
    return _round(90 + pixels.astype(np.float64) / 3)


def _dark(pixels: Pixels, _: Generator) -> Pixels:
    return _round(pixels.astype(np.float64) * 0.35)


def _bright(pixels: Pixels, _: Generator) -> Pixels:
    return _round(255 - (255 - pixels.astype(np.float64)) * 0.5)


def _noise(pixels: Pixels, generator: Generator) -> Pixels:
    return _round(pixels.astype(np.float64) + generator.normal(0, 40, pixels.shape))


def _blur(pixels: Pixels, _: Generator) -> Pixels:
    radius = max(0.7, pixels.shape[0] / 40)
    channels = [
        np.asarray(Image.fromarray(channel).filter(ImageFilter.GaussianBlur(radius)))
        for channel in np.moveaxis(pixels, 2, 0)
    ]
    return np.stack(channels, axis=2)


def _junk(pixels: Pixels, generator: Generator) -> Pixels:
    return generator.integers(0, 256, pixels.shape, dtype=np.uint8)


# By name; each takes the pixels of one image ``(H, W, C)``.
CAMERAS: Mapping[str, Camera] = {
    "none": lambda pixels, _: pixels,
    "contrast": _contrast,
    "dark": _dark,
    "bright": _bright,
    "noise": _noise,
    "blur": _blur,
    "junk": _junk,
}


def parse_changes(texts: Sequence[str]) -> list[Change]:
    """Read changes such as ``256:contrast``; without any, the stream is as it was recorded.

    Raises:
        ReplayError: if one is not a number and a known name, or they are not in order.
    """
    changes = [Change(0, "none")]
    for text in texts:
        start, _, name = text.partition(":")
        if not start.isdecimal() or name not in CAMERAS:
            known = ", ".join(CAMERAS)
            raise ReplayError(f"a change is START:NAME with a NAME of {known}; got {text!r}")
        change = Change(int(start), name)
        if change.start < changes[-1].start:
            raise ReplayError(f"changes must be in the order of their images; {text!r} is not")
        changes.append(change)
    return changes


def change_at(changes: Sequence[Change], number: int) -> str:
    """Name of the change that image ``number`` is seen under."""
    return [change.name for change in changes if change.start <= number][-1]


def apply_change(name: str, pixels: Pixels, number: int) -> Pixels:
    """The image ``(H, W, C)`` as the changed camera sees it; the same for the same number."""
    return CAMERAS[name](pixels, np.random.default_rng(number))
