"""Renders small grey images of digits from randomly deformed font glyphs.

The handwritten digits are not used for it.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rn_model.digits.glyphs import glyph_points

BITMAP = 32
BLOCK = 2


class Ranges(NamedTuple):
    """Bounds of the uniform distributions from which each digit's deformation is drawn.

    Attributes:
        shear: horizontal shift per unit of height.
        rotation: angle in degrees.
        aspect: factor of the width.
        wave: amplitude of a smooth displacement, in units of the glyph's height.
        pen: radius of the pen along centre lines, in pixels of the bitmap.
        edge: radius of the pen around areas, in pixels of the bitmap.
        height: height of the digit, in pixels of the bitmap.
        shift: horizontal distance between the centres of digit and bitmap, in pixels of the bitmap.
    """

    shear: tuple[float, float] = (-0.2, 0.3)
    rotation: tuple[float, float] = (-12.0, 12.0)
    aspect: tuple[float, float] = (0.6, 1.15)
    wave: tuple[float, float] = (0.0, 0.07)
    pen: tuple[float, float] = (1.5, 3.2)
    edge: tuple[float, float] = (0.6, 1.4)
    height: tuple[float, float] = (30.0, 32.0)
    shift: tuple[float, float] = (-2.0, 2.0)


def render_digits(
    count: int, *, seed: int, line_share: float = 0.7, ranges: Ranges | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Render digits; the numbers of images of the classes differ by at most one.

    Args:
        count: number of images.
        seed: random seed; the same seed gives the same images.
        line_share: share of the digits that are drawn with a pen along the glyph's centre line instead
            of as the glyph's area.
        ranges: ranges of the deformations; None for the defaults.

    Returns:
        Grey images with bright ink, ``(count, 16, 16)``, and their classes, ``(count,)``.
    """
    generator = torch.Generator().manual_seed(seed)
    ranges = ranges or Ranges()
    glyphs = glyph_points()
    fonts = len(glyphs) // 10
    labels = torch.arange(count) % 10
    labels = labels[torch.randperm(count, generator=generator)]
    font = torch.randint(fonts, (count,), generator=generator)
    by_line = torch.rand(count, generator=generator) < line_share
    images = []
    for index in range(count):
        _, area, line = glyphs[int(font[index]) * 10 + int(labels[index])]
        along_line = bool(by_line[index])
        points = _deform(line if along_line else area, ranges, generator)
        radius = _uniform(ranges.pen if along_line else ranges.edge, generator)
        images.append(_grey(_stamp(points, radius)))
    return torch.stack(images).numpy(), labels.numpy()


def _uniform(bounds: tuple[float, float], generator: torch.Generator) -> float:
    low, high = bounds
    return low + (high - low) * float(torch.rand((), generator=generator))


def _deform(points: Tensor, ranges: Ranges, generator: torch.Generator) -> Tensor:
    low, high = points.amin(dim=0), points.amax(dim=0)
    points = (points - (low + high) / 2) / (high - low)[1]
    points = points + _wave(points, _uniform(ranges.wave, generator), generator)
    angle = math.radians(_uniform(ranges.rotation, generator))
    shear = _uniform(ranges.shear, generator)
    aspect = _uniform(ranges.aspect, generator)
    turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    lean = torch.tensor([[aspect, 0.0], [-shear, 1.0]])
    points = points @ lean @ turn
    low, high = points.amin(dim=0), points.amax(dim=0)
    # The pen adds a little to the height on both sides, which is small enough to ignore.
    height = _uniform(ranges.height, generator) - 3.0
    scale = height / (high - low)[1]
    scale = torch.minimum(scale, (BITMAP - 3.0) / (high - low)[0])
    middle = (BITMAP - 1) / 2
    shift = torch.tensor([_uniform(ranges.shift, generator), 0.0])
    return (points - (low + high) / 2) * scale + middle + shift


def _wave(points: Tensor, size: float, generator: torch.Generator) -> Tensor:
    frequency = torch.randn(2, 3, generator=generator) * 4.0
    phase = torch.rand(3, generator=generator) * 2 * math.pi
    direction = torch.randn(3, 2, generator=generator)
    return size * torch.sin(points @ frequency + phase) @ direction


def _stamp(points: Tensor, radius: float) -> Tensor:
    axis = torch.arange(BITMAP, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    pixels = torch.stack([x.flatten(), y.flatten()], dim=1)
    nearest = torch.cdist(pixels, points).amin(dim=1)
    return (nearest <= radius).view(BITMAP, BITMAP)


def _grey(bitmap: Tensor) -> Tensor:
    side = BITMAP // BLOCK
    ink = bitmap.view(side, BLOCK, side, BLOCK).float().mean(dim=(1, 3))
    return (255 * ink).round().to(torch.uint8)
