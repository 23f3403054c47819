"""Digits of font files as sets of points: the area and the centre line of each glyph."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_SYMBOLS = (
    "STIXSiz", "STIXNonUni", "cmex10", "cmsy10", "cmmi10", "LastResort",
)  # fmt: skip
_FONT_SIZE = 64
_CANVAS = 96


def digit_fonts() -> list[Path]:
    """The font files of matplotlib that contain digits, sorted by name.

    Raises:
        FileNotFoundError: if matplotlib was installed without them.
    """
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = [
        path
        for path in sorted(folder.glob("*.ttf"))
        if not path.name.startswith(_SYMBOLS) and not path.stem.endswith("Display")
    ]
    if not fonts:
        raise FileNotFoundError(f"there are no font files in {folder}")
    return fonts


@cache
def glyph_points() -> list[tuple[int, Tensor, Tensor]]:
    """The class, the area and the centre line of every digit of every font.

    Area and centre line are points ``(n, 2)``: x and y in pixels, at 64 pixels per em, with the y axis
    pointing down.
    """
    fonts = [ImageFont.truetype(str(path), _FONT_SIZE) for path in digit_fonts()]
    labels = [digit for _ in fonts for digit in range(10)]
    areas = torch.stack([_draw(font, digit) for font in fonts for digit in range(10)])
    lines = thin(areas)
    return [
        (label, _points(area), _points(line))
        for label, area, line in zip(labels, areas, lines, strict=True)
    ]


def thin(bitmaps: Tensor) -> Tensor:
    """Reduce strokes to lines one pixel wide without breaking them.

    Source: Zhang and Suen, "A fast parallel algorithm for thinning digital patterns" (1984), section 2.
    Its two subiterations are repeated until nothing changes.

    Args:
        bitmaps: bool ``(N, H, W)``, True for ink.

    Returns:
        The thinned bitmaps, bool ``(N, H, W)``.
    """
    ink = torch.nn.functional.pad(bitmaps, (1, 1, 1, 1))
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            removable = _removable(ink, first=first)
            changed = changed or bool(removable.any())
            ink = ink & ~removable
    return ink[:, 1:-1, 1:-1]


def _removable(ink: Tensor, *, first: bool) -> Tensor:
    # P2 to P9 of the paper: the eight neighbours, clockwise from the one above.
    steps = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
    ring = torch.stack([torch.roll(ink, (-dy, -dx), dims=(1, 2)) for dy, dx in steps])
    count = ring.sum(dim=0)
    transitions = (~ring & torch.roll(ring, -1, dims=0)).sum(dim=0)
    up, right, down, left = ring[0], ring[2], ring[4], ring[6]
    if first:
        on_the_rim = ~(up & right & down) & ~(right & down & left)
    else:
        on_the_rim = ~(up & right & left) & ~(up & down & left)
    return ink & (count >= 2) & (count <= 6) & (transitions == 1) & on_the_rim


def _draw(font: ImageFont.FreeTypeFont, digit: int) -> Tensor:
    image = Image.new("L", (_CANVAS, _CANVAS))
    middle = (_CANVAS // 2, _CANVAS // 2)
    ImageDraw.Draw(image).text(middle, str(digit), fill=255, font=font, anchor="mm")
    return torch.from_numpy(np.asarray(image) >= 128)


def _points(bitmap: Tensor) -> Tensor:
    return bitmap.nonzero().flip(1).float()
